import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import type { Server } from './postgres.ts';

/** Removes the summaries of a server's WAL, those of what comes after this position among them. */
export async function loseSummaries(server: Server, afterLsn: string): Promise<void> {
  await server.query('checkpoint');
  // One that is written later would make the range whole again.
  await eventually('the WAL being summarized', async () => {
    const [row] = await server.query<{ there: boolean }>(
      'select summarized_lsn > $1::pg_lsn as there from pg_get_wal_summarizer_state()',
      [afterLsn],
    );
    return row?.there === true ? true : undefined;
  });
  const summaries = join(server.dataDir, 'pg_wal/summaries');
  for (const name of readdirSync(summaries)) rmSync(join(summaries, name));
}
