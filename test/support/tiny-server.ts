import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { siteOf, type BackupSite } from './backup-site.ts';
import { giveToServerUser, scratchPath, startPostgres, type Server } from './postgres.ts';

/**
 * The smallest server there is, 8 MiB and segments of 1 MB, for tests that take a hundred backups.
 * Its WAL goes into every repository beside it, so that each test may have one of its own. Plain
 * files, so nothing here is compressed.
 */
export interface TinyServer extends AsyncDisposable {
  readonly server: Server;
  /** A fresh repository. */
  repository(): BackupSite;
}

export async function startTinyServer(
  options: { readonly hba?: readonly string[] } = {},
): Promise<TinyServer> {
  const archive = scratchPath('archive');
  const repositories = scratchPath('repositories');
  for (const folder of [archive, repositories]) {
    mkdirSync(folder);
    giveToServerUser(folder);
  }
  const copy = `cp %p ${archive}/%f`;
  const share = `for each in ${repositories}/*/wal_005; do [ ! -d $each ] || ln -f ${archive}/%f $each/%f || exit 1; done`;
  const server = await startPostgres({
    ...options,
    version: 13,
    walSegmentMb: 1,
    archiveCommand: `${copy} && ${share}`,
  });
  await server.query('create table rows as select generate_series(1, 1000) as n');
  await server.query('update pg_database set datistemplate = false');
  await server.query('drop database template0');
  await server.query('drop database template1');
  let count = 0;
  return {
    server,
    repository: () => {
      count += 1;
      const root = join(repositories, `repository${count}`);
      // The archiver must not meet one that is not its own yet.
      const made = scratchPath('repository');
      mkdirSync(join(made, 'wal_005'), { recursive: true, mode: 0o700 });
      giveToServerUser(made);
      renameSync(made, root);
      return siteOf(server, { WALG_FILE_PREFIX: root, WALG_COMPRESSION_METHOD: 'none' });
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}
