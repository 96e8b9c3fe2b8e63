import { spawnSync } from 'node:child_process';
import { basename } from 'node:path';
import { runMeasured, type Usage } from '../measure/run-measured.ts';
import type { OpenWalSite } from './wal-site.ts';

/**
 * A backlog: all segments are ready, and the archiver's loop runs its command for one after the
 * other, as PostgreSQL does when archiving works again after an outage.
 */
export function drainBacklog(open: OpenWalSite, segments: readonly string[]): Promise<Usage> {
  open.offer(segments, true);
  return archiveInTurn(open, segments, '');
}

/** The steady state: each segment becomes ready when the one before it has been archived. */
export function archiveOneByOne(open: OpenWalSite, segments: readonly string[]): Promise<Usage> {
  open.offer(segments, false);
  return archiveInTurn(open, segments, ': >pg_wal/archive_status/$f.ready;');
}

/** The archiver of PostgreSQL: a shell for each command, and its own mark when that succeeded. */
async function archiveInTurn(
  { site, session, surroundings }: OpenWalSite,
  segments: readonly string[],
  beforeEach: string,
): Promise<Usage> {
  spawnSync('sync');
  const line = session.archiveCommand.replaceAll('%p', 'pg_wal/$f').replaceAll('%f', '$f');
  const script = `cd "$0" || exit; for f in ${segments.map((path) => basename(path)).join(' ')}; do
      export f; ${beforeEach} sh -c '${line}' || exit
      mv pg_wal/archive_status/$f.ready pg_wal/archive_status/$f.done || exit
    done`;
  const command = { program: '/bin/bash', args: ['-c', script, site.dataDir], env: session.env };
  return await runMeasured(command, surroundings);
}
