import { formatDuration } from '../kernel/duration.ts';
import { TsbkError } from '../kernel/errors.ts';
import type { Report } from '../ports/report.ts';
import type { Repository } from '../repository/repository.ts';
import { orAbort } from '../stream/abort.ts';
import { missingWal } from '../repository/wal-of-backup.ts';

export interface WalWait {
  /** Names of the segments that must be in the archive. */
  readonly segments: readonly string[];
  /** How long to wait in all, milliseconds. */
  readonly timeoutMs: number;
  /** What the server says of its archiver, one sentence, for the message when time is up. */
  readonly archiverState: () => Promise<string | undefined>;
}

const PAUSE_MS_FIRST = 10;
/** A pause is an eighth of what was waited before, so that little is waited in vain. */
const PAUSE_GROWTH = 1.125;
const PAUSE_MS_MAX = 5000;
const REPORT_EVERY_MS = 10_000;
const ARCHIVER_ANSWER_MS = 5000;

/**
 * Waits until every segment of a backup is in the archive: without them it could not be restored.
 * PostgreSQL's own wait looks only at the last one, and for ever. Throws `wal-wait-timeout`.
 */
export async function waitForWal(
  repository: Repository,
  wait: WalWait,
  { signal, report }: { readonly signal: AbortSignal; readonly report: Report },
): Promise<void> {
  const { clock } = repository;
  const start = clock.monotonicMs();
  let reportedMs = 0;
  let missing = wait.segments;
  for (let pauseMs = PAUSE_MS_FIRST; ; pauseMs = Math.min(pauseMs * PAUSE_GROWTH, PAUSE_MS_MAX)) {
    missing = await missingWal(repository, missing, { signal });
    if (missing.length === 0) return;
    const waitedMs = clock.monotonicMs() - start;
    if (waitedMs >= wait.timeoutMs) throw timeUp(missing, wait, await stateOf(wait));
    if (waitedMs - reportedMs >= REPORT_EVERY_MS) {
      reportedMs = waitedMs;
      report({
        kind: 'info',
        text: `waiting for ${describe(missing)} to be archived (${formatDuration(waitedMs)})`,
      });
    }
    await clock.sleep(Math.min(pauseMs, wait.timeoutMs - waitedMs), { signal });
  }
}

/** A server that does not answer must not keep the message back. */
async function stateOf(wait: WalWait): Promise<string | undefined> {
  const asked = AbortSignal.timeout(ARCHIVER_ANSWER_MS);
  return await orAbort(wait.archiverState(), asked).catch(() => undefined);
}

function describe(missing: readonly string[]): string {
  const [first] = missing;
  return missing.length === 1
    ? `WAL segment ${first}`
    : `${missing.length} WAL segments from ${first}`;
}

function timeUp(
  missing: readonly string[],
  wait: WalWait,
  archiver: string | undefined,
): TsbkError {
  return new TsbkError(
    'wal-wait-timeout',
    `${describe(missing)} did not reach the archive within ${formatDuration(wait.timeoutMs)}; ` +
      'the backup was not completed' +
      (archiver === undefined ? '' : `. ${archiver}`),
    {
      hint: 'Look at pg_stat_archiver and the server log, mend archive_command, then take the backup again. On an idle standby run pg_switch_wal() on its primary.',
    },
  );
}
