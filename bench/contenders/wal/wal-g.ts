import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stageForServerUser } from '@tsbk/test/support/postgres';
import { walG, walGProgram } from '../wal-g.ts';
import type { WalContender, WalSite } from './wal-contender.ts';

/** WAL-G as most run it. */
export const walGCommand: WalContender = {
  id: 'wal-g',
  title: 'WAL-G',
  note: 'wal-g wal-push and wal-fetch, concurrency at its defaults',
  absent: walG.absent,
  excluded: () => undefined,
  open: (site) => {
    const program = stageForServerUser(walGProgram() ?? '');
    return {
      env: environmentOf(site),
      archiveCommand: `${program} wal-push %p`,
      restoreCommand: `${program} wal-fetch %f %p`,
    };
  },
};

/** WAL-G's daemon and its small client. */
export const walGDaemon: WalContender = {
  id: 'wal-g-daemon',
  title: 'WAL-G, daemon',
  note: 'walg-daemon-client beside wal-g daemon, whose time and memory are counted',
  absent: () =>
    clientProgram() === undefined
      ? 'build walg-daemon-client with Go and put it beside wal-g'
      : undefined,
  excluded: () => undefined,
  open: (site) => {
    const client = stageForServerUser(clientProgram() ?? '');
    const socket = join(site.folder, 'd.sock');
    return {
      env: environmentOf(site),
      service: {
        program: stageForServerUser(walGProgram() ?? ''),
        args: ['daemon', socket],
        env: environmentOf(site),
        socket,
      },
      archiveCommand: `${client} ${socket} wal-push %f`,
      restoreCommand: `${client} ${socket} wal-fetch %f %p`,
    };
  },
};

function environmentOf(site: WalSite): Readonly<Record<string, string>> {
  return {
    ...site.repository.env,
    PGDATA: site.dataDir,
    WALG_COMPRESSION_METHOD: site.codec,
  };
}

function clientProgram(): string | undefined {
  const walg = walGProgram();
  const path = walg && join(dirname(walg), 'walg-daemon-client');
  return path !== undefined && existsSync(path) ? path : undefined;
}
