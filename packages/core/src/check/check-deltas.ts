import type { ServerFacts } from '../postgres/server-facts.ts';
import { ok, warning, type Finding } from './finding.ts';

/** Whether deltas, if there are to be any, can be had for what changed. */
export function checkDeltas(
  { summarizeWal }: Pick<ServerFacts, 'summarizeWal'>,
  { deltaMaxSteps }: { readonly deltaMaxSteps: number },
): Finding[] {
  if (deltaMaxSteps === 0 || summarizeWal === undefined) return [];
  if (summarizeWal) return [ok('server', 'summarize_wal is on: a delta costs what changed')];
  return [
    warning(
      'server',
      'summarize_wal is off: the server cannot say what changed since a backup',
      'ALTER SYSTEM SET summarize_wal = on; SELECT pg_reload_conf(); and take a full backup.',
    ),
  ];
}
