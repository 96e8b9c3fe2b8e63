import { setTimeout as sleep } from 'node:timers/promises';
import { startPostgres, type PostgresOptions, type Server } from './postgres.ts';
import type { TestStore } from './store.ts';
import { installedTsbk } from './tsbk.ts';

/** A server that archives through the built `tsbk-archive-push` into `store`. */
export function startArchivingServer(
  store: Pick<TestStore, 'env'>,
  options: Omit<PostgresOptions, 'archiveCommand'>,
): Promise<Server> {
  const { archivePush, env } = installedTsbk();
  return startPostgres({
    ...options,
    archiveCommand: `${archivePush} %p`,
    env: { ...env, ...store.env, ...options.env },
  });
}

/** By which `tsbk` finds the server, as superuser over its socket. */
export function connectionEnv(server: Server): Readonly<Record<string, string>> {
  return { PGHOST: server.socketDir, PGPORT: String(server.port), PGUSER: server.user };
}

/**
 * Ends the current segment and waits until the archiver says that it is archived. Returns the
 * segment's name.
 */
export async function archiveEverything(server: Server): Promise<string> {
  // A record of our own: a segment without one would not be ended by the switch.
  const [row] = await server.query<{ name: string }>(
    "select pg_walfile_name(pg_logical_emit_message(false, 'tsbk', 'archive')) as name",
  );
  const name = row?.name ?? '';
  await server.query('select pg_switch_wal()');
  await untilArchived(server, name);
  return name;
}

async function untilArchived(server: Server, name: string): Promise<void> {
  for (let tries = 0; tries < 600; tries += 1) {
    const [row] = await server.query<{ last: string | null }>(
      'select last_archived_wal as last from pg_stat_archiver',
    );
    const last = row?.last ?? '';
    if (/^[0-9A-F]{24}/.test(last) && last.slice(0, 24) >= name) return;
    await sleep(100);
  }
  throw new Error(`${name} was not archived within 60 s`);
}
