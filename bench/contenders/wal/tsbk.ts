import { join } from 'node:path';
import { installedTsbk } from '@tsbk/test/support/tsbk';
import { existsSync } from 'node:fs';
import type { Service } from '../../measure/service.ts';
import type { WalContender, WalSession, WalSite } from './wal-contender.ts';

/** The two commands alone. */
export const tsbkCommand: WalContender = {
  id: 'tsbk-command',
  title: 'tsbk, command',
  note: 'tsbk-archive-push and tsbk-archive-get, defaults',
  absent: () => undefined,
  excluded: () => undefined,
  open: (site) => commandsOf(site),
};

/** The two commands, which find a daemon. */
export const tsbkDaemon: WalContender = {
  id: 'tsbk-daemon',
  title: 'tsbk, daemon',
  note: 'the same commands beside tsbk daemon, which they find; its time and memory are counted',
  absent: () => undefined,
  excluded: () => undefined,
  open: (site) => ({ ...commandsOf(site), service: serviceOf(site) }),
};

/** No program of ours is started for a segment. */
export const tsbkCurl: WalContender = {
  id: 'tsbk-curl',
  title: 'tsbk, curl',
  note: 'curl --unix-socket to tsbk daemon as archive_command; its time and memory are counted',
  absent: () => (existsSync('/usr/bin/curl') ? undefined : 'apt-get install curl'),
  excluded: () => undefined,
  open: (site) => ({
    ...commandsOf(site),
    service: serviceOf(site),
    archiveCommand: `curl --silent --show-error --fail-with-body --max-time 60 --unix-socket ${socketOf(site)} --request POST "http://tsbk/archive-push?path=%p"`,
  }),
};

function commandsOf(site: WalSite): WalSession {
  const { archivePush, archiveGet } = installedTsbk();
  return {
    env: environmentOf(site),
    archiveCommand: `${archivePush} %p`,
    restoreCommand: `${archiveGet} %f %p`,
  };
}

function environmentOf(site: WalSite): Readonly<Record<string, string>> {
  return {
    ...installedTsbk().env,
    ...site.repository.env,
    TSBK_COMPRESSION_METHOD: site.codec,
  };
}

function serviceOf(site: WalSite): Service {
  return {
    program: installedTsbk().cli,
    args: ['daemon'],
    env: { ...environmentOf(site), PGDATA: site.dataDir },
    socket: socketOf(site),
  };
}

function socketOf({ dataDir }: WalSite): string {
  return join(dataDir, 'pg_stat_tmp/tsbk/daemon.sock');
}
