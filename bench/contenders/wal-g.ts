import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { stageForServerUser } from '@tsbk/test/support/postgres';
import { connectionEnv, KEY_HEX, type Contender, type Session, type Site } from './contender.ts';

const INSTALL =
  'download a release from github.com/wal-g/wal-g, or build it with Go, and name it by WALG_BIN';

/** WAL-G as most run it. */
export const walG: Contender = {
  id: 'wal-g',
  title: 'WAL-G, files',
  note: 'wal-g backup-push PGDATA: reads the data directory; concurrency and GOMAXPROCS at their defaults',
  absent: () => (walGProgram() === undefined ? INSTALL : undefined),
  excluded: () => undefined,
  open: (site) => openWalG(site, [site.server.dataDir]),
};

/** WAL-G over the replication protocol. */
export const walGRemote: Contender = {
  id: 'wal-g-remote',
  title: 'WAL-G, protocol',
  note: 'wal-g backup-push: streams over the replication protocol; defaults',
  absent: walG.absent,
  excluded: ({ encrypted }) =>
    encrypted ? 'it encrypts as it does from files, which stands for both' : undefined,
  open: (site) => openWalG(site, []),
};

function openWalG(site: Site, source: readonly string[]): Session {
  const walg = stageForServerUser(walGProgram() ?? '');
  const env = {
    ...site.repository.env,
    ...connectionEnv(site.server),
    PGDATA: site.server.dataDir,
    WALG_COMPRESSION_METHOD: site.codec,
    ...(site.encrypted ? { WALG_LIBSODIUM_KEY: KEY_HEX, WALG_LIBSODIUM_KEY_TRANSFORM: 'hex' } : {}),
  };
  return {
    archivePush: { program: walg, args: ['wal-push'], env },
    archiveGet: { program: walg, args: ['wal-fetch'], env },
    backup: { program: walg, args: ['backup-push', ...source], env },
    restore: (directory) => ({ program: walg, args: ['backup-fetch', directory, 'LATEST'], env }),
    opens: 'by-harness',
  };
}

/** The program that `WALG_BIN` names, else the one on the path. */
export function walGProgram(): string | undefined {
  const named = process.env['WALG_BIN'];
  if (named !== undefined && named !== '') return named;
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'wal-g'))
    .find((path) => existsSync(path));
}
