import { isTsbkError, TsbkError } from '../kernel/errors.ts';
import { sqlStateOf } from './server-error.ts';

/** Why a server makes no incremental backup on top of the one it was given. */
export type RefusalReason =
  | 'summaries-off'
  | 'summaries-missing'
  | 'summarizer-stuck'
  | 'manifest-version'
  | 'other-cluster'
  | 'other-timeline'
  | 'no-progress'
  | 'manifest-invalid'
  | 'unsupported'
  /** In another language, or said by a version that we do not know. */
  | 'unknown';

interface Refusal {
  readonly reason: RefusalReason;
  readonly sqlState: string;
  readonly words: RegExp;
  readonly hint: string;
}

/**
 * Those that say nothing against the parent, only that no increments of it can be had. (Nothing for it
 * either: see decision 18.) A reason that we cannot read may be any of the others.
 */
const OF_THE_WAY: ReadonlySet<RefusalReason> = new Set([
  'summaries-off',
  'summaries-missing',
  'summarizer-stuck',
  'unsupported',
]);

const TAKE_FULL = 'Take a full backup; the next delta stands on that.';

/**
 * What servers of version 17 and 18 say (`backup/basebackup_incremental.c`, `basebackup.c`,
 * `common/parse_manifest.c`), most telling first.
 */
const REFUSALS: readonly Refusal[] = [
  {
    reason: 'summaries-off',
    sqlState: '55000',
    words: /unless WAL summarization is enabled/,
    hint: 'ALTER SYSTEM SET summarize_wal = on; SELECT pg_reload_conf(). Then take a full backup.',
  },
  {
    reason: 'summaries-missing',
    sqlState: '55000',
    words: /WAL summaries are required/,
    hint: 'Summaries must reach back to the parent: summarize_wal on since before it, and not removed meanwhile (wal_summary_keep_time). Take a full backup.',
  },
  {
    reason: 'summarizer-stuck',
    sqlState: '55000',
    words: /WAL summarization is not progressing/,
    hint: 'See the log of the server for its walsummarizer process.',
  },
  {
    reason: 'manifest-version',
    sqlState: 'XX000',
    words: /manifest version \d+ does not support incremental/,
    hint: 'The parent was made before PostgreSQL 17. Take a full backup.',
  },
  {
    reason: 'other-cluster',
    sqlState: 'XX000',
    words: /system identifier in backup manifest/,
    hint: 'The parent is of another cluster. Take a full backup.',
  },
  {
    reason: 'no-progress',
    sqlState: '55000',
    words: /requires WAL from final timeline .* ending at/,
    hint: 'On a standby the start point moves only with restartpoints: run CHECKPOINT on the primary and let the standby replay it.',
  },
  {
    reason: 'other-timeline',
    sqlState: '55000',
    words: /not in this server's history|requires WAL from [a-z-]+ timeline/,
    hint: `The parent lies on another timeline. ${TAKE_FULL}`,
  },
  {
    reason: 'manifest-invalid',
    sqlState: 'XX000',
    words: /manifest/,
    hint: `The parent's manifest is not what PostgreSQL wrote. ${TAKE_FULL}`,
  },
  {
    reason: 'unsupported',
    sqlState: '42601',
    words: /^/,
    hint: `The server has no incremental backups: they came with PostgreSQL 17.`,
  },
];

/** SQLSTATEs of refusals: what none of the patterns knows counts as one as well. */
const STATES = new Set(REFUSALS.map(({ sqlState }) => sqlState));

/** Why a server refused, `undefined` for errors that mean something else. */
export function refusalReasonOf(error: unknown): RefusalReason | undefined {
  const state = isTsbkError(error) ? sqlStateOf(error) : undefined;
  if (state === undefined || !STATES.has(state)) return undefined;
  return find(error, state)?.reason ?? 'unknown';
}

/**
 * `delta-refused` for a server's refusal, `parent-refused` if that may be because of the parent;
 * everything else as it is.
 */
export function asRefusal(error: unknown): unknown {
  const reason = refusalReasonOf(error);
  if (reason === undefined || !isTsbkError(error)) return error;
  const hint = find(error, sqlStateOf(error) ?? '')?.hint ?? TAKE_FULL;
  const code = OF_THE_WAY.has(reason) ? 'delta-refused' : 'parent-refused';
  return new TsbkError(code, error.message, { hint, cause: error });
}

function find(error: unknown, state: string): Refusal | undefined {
  const text = isTsbkError(error) ? error.message : '';
  return REFUSALS.find(({ sqlState, words }) => sqlState === state && words.test(text));
}
