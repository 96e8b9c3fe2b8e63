import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { copyCluster } from './cluster.ts';
import { scratchPath } from './scratch.ts';
import type { Server } from './server.ts';
import { giveToServerUser } from './server-user.ts';

/**
 * A copy of a running server's directory, made between the two low-level backup calls, with a
 * `backup_label` and without WAL. What it becomes is for the signal file to say that it still lacks.
 */
export async function hotCopy(primary: Server, kind: string): Promise<string> {
  const dataDir = scratchPath(kind);
  const session = await primary.client();
  const old = primary.version < 15;
  await session.query(
    `select ${old ? "pg_start_backup('s', true, false)" : "pg_backup_start('s', true)"}`,
  );
  copyCluster(primary.dataDir, dataDir);
  const stopped = await session.query<{ labelfile: string }>(
    `select labelfile from ${old ? 'pg_stop_backup(false, false)' : 'pg_backup_stop(false)'}`,
  );
  await session.end();
  rmSync(join(dataDir, 'postmaster.pid'));
  rmSync(join(dataDir, 'pg_wal'), { recursive: true });
  mkdirSync(join(dataDir, 'pg_wal'), { mode: 0o700 });
  writeFileSync(join(dataDir, 'backup_label'), stopped.rows[0]?.labelfile ?? '');
  giveToServerUser(dataDir);
  return dataDir;
}
