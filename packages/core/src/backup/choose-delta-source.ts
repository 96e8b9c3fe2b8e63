import type { DeltaSource } from './parent.ts';

/** What decides by which way a delta can be taken. */
export interface DeltaWays {
  /** Whether tsbk reads the data directory itself. */
  readonly local: boolean;
  readonly majorVersion: number;
  /** Whether the server summarizes its WAL; `undefined` if it does not say. */
  readonly summarizesWal: boolean | undefined;
  /** Why the parent's manifest cannot be given to the server, if so. */
  readonly manifestProblem: string | undefined;
}

export type SourceChoice =
  | {
      readonly kind: 'source';
      readonly source: DeltaSource;
      readonly reason: string;
      /** What is left if that is refused, cheapest first. Empty where the source was asked for. */
      readonly others: readonly DeltaSource[];
    }
  | { readonly kind: 'none'; readonly reason: string };

/** Cheapest first. */
const REMOTE: readonly DeltaSource[] = ['server', 'stream'];
const LOCAL: readonly DeltaSource[] = ['summaries', 'files'];
const MAJOR_WITH_SUMMARIES = 17;

/** The cheapest source that there is, or the one that was asked for, and why. */
export function chooseDeltaSource(wish: 'auto' | DeltaSource, ways: DeltaWays): SourceChoice {
  if (wish !== 'auto') {
    const problem = problemOf(wish, ways);
    return problem === undefined
      ? { kind: 'source', source: wish, reason: 'as TSBK_DELTA_SOURCE says', others: [] }
      : { kind: 'none', reason: `TSBK_DELTA_SOURCE is ${wish}, and ${problem}` };
  }
  const problems: string[] = [];
  const usable: DeltaSource[] = [];
  for (const source of ways.local ? LOCAL : REMOTE) {
    const problem = problemOf(source, ways);
    if (problem === undefined) usable.push(source);
    else if (usable.length === 0) problems.push(problem);
  }
  const [source, ...others] = usable;
  return source === undefined
    ? { kind: 'none', reason: problems.join(', and ') }
    : { kind: 'source', source, reason: reasonOf(source, problems), others };
}

function reasonOf(source: DeltaSource, problems: readonly string[]): string {
  if (problems.length > 0) return problems.join(', and ');
  return source === 'server' || source === 'summaries'
    ? 'the server has summarized its WAL'
    : 'there is no cheaper way';
}

/** Why a source cannot be used, if so. */
function problemOf(source: DeltaSource, ways: DeltaWays): string | undefined {
  const isOfFiles = source === 'files' || source === 'summaries';
  if (isOfFiles && !ways.local) return 'the server sends its files';
  if (!isOfFiles && ways.local) return 'tsbk reads the files itself';
  if (source === 'server' || source === 'summaries') {
    const problem = summaryProblem(ways);
    if (problem !== undefined) return problem;
  }
  if (source === 'server' && ways.manifestProblem !== undefined) return ways.manifestProblem;
  return undefined;
}

function summaryProblem({ majorVersion, summarizesWal }: DeltaWays): string | undefined {
  if (majorVersion < MAJOR_WITH_SUMMARIES) {
    return `PostgreSQL ${majorVersion} does not summarize its WAL`;
  }
  return summarizesWal === false ? 'summarize_wal is off' : undefined;
}
