import { installedTsbk } from '@tsbk/test/support/tsbk';
import { connectionEnv, KEY_HEX, type Contender, type Session, type Site } from './contender.ts';

/** This tree's build, streaming over the replication protocol. */
export const tsbkRemote: Contender = {
  id: 'tsbk-remote',
  title: 'tsbk, protocol',
  note: 'tsbk backup-push: streams over the replication protocol, defaults',
  absent: () => undefined,
  excluded: () => undefined,
  open: (site) => openTsbk(site, []),
};

/** This tree's build, reading the data directory. */
export const tsbkLocal: Contender = {
  id: 'tsbk-local',
  title: 'tsbk, files',
  note: 'tsbk backup-push PGDATA: reads the data directory, defaults',
  absent: () => undefined,
  excluded: () => undefined,
  open: (site) => openTsbk(site, [site.server.dataDir]),
};

function openTsbk(site: Site, source: readonly string[]): Session {
  const { cli, archivePush, archiveGet, env: base } = installedTsbk();
  const env = {
    ...base,
    ...site.repository.env,
    ...connectionEnv(site.server),
    TSBK_COMPRESSION_METHOD: site.codec,
    ...(site.encrypted ? { TSBK_LIBSODIUM_KEY: KEY_HEX, TSBK_LIBSODIUM_KEY_TRANSFORM: 'hex' } : {}),
  };
  return {
    archivePush: { program: archivePush, args: [], env },
    archiveGet: { program: archiveGet, args: [], env },
    backup: { program: cli, args: ['backup-push', ...source], env },
    restore: (directory) => ({ program: cli, args: ['backup-fetch', directory, 'LATEST'], env }),
    opens: 'as-restored',
  };
}
