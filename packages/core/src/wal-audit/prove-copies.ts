import type { Lsn } from '../kernel/lsn.ts';
import type { SystemId } from '../kernel/system-id.ts';
import { formatSegment, parseSegment, segmentStart, type Segment } from '../kernel/wal-file.ts';
import type { Report } from '../ports/report.ts';
import type { WalCopies } from '../ports/wal-copies.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { tally, type Tally } from '../stream/tally.ts';
import { archivedLink } from './archived-link.ts';
import { proveChain, type ChainLink, type ChainProof } from './chain.ts';
import type { Cover } from './coverage.ts';

/** A server that may have what is missing. */
export interface CopySource {
  readonly copies: WalCopies;
  /** Up to where the server has made its WAL durable, if it could be asked. */
  readonly flushLsn: Lsn | undefined;
}

/** A copy of a missing segment, and whether it has proven itself. */
export interface ProvenCopy {
  readonly segment: Segment;
  readonly name: string;
  readonly copies: WalCopies;
  /** Of the bytes that were looked at. */
  readonly sha256: string;
  readonly systemId: SystemId | undefined;
  /** Why it must not be used; absent if nothing speaks against it. */
  readonly problem: string | undefined;
}

interface ProveRequest {
  readonly covers: readonly Cover[];
  readonly segmentBytes: number;
  readonly systemId: SystemId | undefined;
  readonly source: CopySource;
  /** Numbers of segments that need no copy any more. */
  readonly done: ReadonlySet<bigint>;
}

/** Proves at most this many in one walk, so that a long gap is filled step by step. */
const RUN_MAX = 32;

/**
 * Looks at a server's copies of missing segments, a run of consecutive ones at a time, each between
 * its neighbours: from the archived segment before it, through the run, into the one behind it.
 */
export async function* proveCopies(
  repository: Repository,
  request: ProveRequest,
  { signal, report }: RunOptions & { readonly report: Report },
): AsyncGenerator<ProvenCopy, void, undefined> {
  const { copies } = request.source;
  const listed = new Map<string, boolean>();
  for (const { name, isMarked } of await copies.list({ signal })) listed.set(name, isMarked);
  for (const run of runs(request, listed)) {
    report({
      kind: 'info',
      text: `looking at ${run.length} missing ${run.length === 1 ? 'segment' : 'segments'} in ${copies.where}`,
    });
    yield* proveRun(repository, { ...request, run, listed }, { signal });
  }
}

/** Consecutive missing segments that the server has. */
function* runs(
  { covers, segmentBytes, done }: ProveRequest,
  listed: ReadonlyMap<string, boolean>,
): Generator<Segment[]> {
  let run: Segment[] = [];
  for (const segment of wanted(covers, { segmentBytes, done, listed })) {
    const before = run.at(-1);
    const isNext = before !== undefined && before.number + 1n === segment.number;
    if (before !== undefined && (!isNext || run.length === RUN_MAX)) {
      yield run;
      run = [];
    }
    run.push(segment);
  }
  if (run.length > 0) yield run;
}

/** In the order of the WAL. The server's files are counted, not the gap's: that may be endless. */
function wanted(
  covers: readonly Cover[],
  given: {
    readonly segmentBytes: number;
    readonly done: ReadonlySet<bigint>;
    readonly listed: ReadonlyMap<string, boolean>;
  },
): Segment[] {
  const missing = covers.filter(({ isThere }) => !isThere);
  return [...given.listed.keys()]
    .flatMap((name) => parseSegment(name, given.segmentBytes) ?? [])
    .filter(
      ({ timeline, number }) =>
        !given.done.has(number) &&
        missing.some(
          (cover) => cover.timeline === timeline && cover.first <= number && number <= cover.last,
        ),
    )
    .sort((a, b) => (a.number < b.number ? -1 : 1));
}

interface RunRequest extends ProveRequest {
  readonly run: readonly Segment[];
  readonly listed: ReadonlyMap<string, boolean>;
}

async function* proveRun(
  repository: Repository,
  request: RunRequest,
  { signal }: RunOptions,
): AsyncGenerator<ProvenCopy, void, undefined> {
  const { run, segmentBytes, systemId, source } = request;
  const tallies = new Map<bigint, Tally>();
  const links = linksOf(repository, request, { signal, tallies });
  const proof = await proveChain(links, { segmentBytes, systemId });
  for (const segment of run) {
    const problem = problemOf(segment, proof, request);
    yield {
      segment,
      name: formatSegment(segment, segmentBytes),
      copies: source.copies,
      // Proven segments were read to their end.
      sha256: problem === undefined ? (tallies.get(segment.number)?.result().sha256 ?? '') : '',
      systemId,
      problem,
    };
  }
}

/** The run between its neighbours, which are the archive's if it has them. */
function linksOf(
  repository: Repository,
  request: RunRequest,
  { signal, tallies }: RunOptions & { readonly tallies: Map<bigint, Tally> },
): [ChainLink, ...ChainLink[]] {
  const { run, covers, segmentBytes, source, listed } = request;
  const archived = (number: bigint): ChainLink[] => {
    const cover = covers.find((one) => one.isThere && one.first <= number && number <= one.last);
    if (cover === undefined) return [];
    const segment = { timeline: cover.timeline, number };
    return [archivedLink(repository, segment, { signal, segmentBytes })];
  };
  const copied = (segment: Segment): ChainLink => ({
    ...segment,
    open: async () => {
      const name = formatSegment(segment, segmentBytes);
      const content = await source.copies.read(name, { signal });
      const counted = tally();
      tallies.set(segment.number, counted);
      return content === undefined ? undefined : counted.stage(content);
    },
  });
  const [first, ...others] = run;
  const last = run.at(-1);
  if (first === undefined || last === undefined) throw new TypeError('a run has a segment');
  const behind = archived(last.number + 1n);
  if (behind.length === 0) {
    const next = { timeline: last.timeline, number: last.number + 1n };
    if (listed.has(formatSegment(next, segmentBytes))) behind.push(copied(next));
  }
  const rest = [...others.map((segment) => copied(segment)), ...behind];
  const [before = ownBefore(first, request, copied)] = archived(first.number - 1n);
  return before === undefined ? [copied(first), ...rest] : [before, copied(first), ...rest];
}

/** The end of the run before this one, where a gap is longer than a run: it was proven just now, or refused. */
function ownBefore(
  { timeline, number }: Segment,
  { covers, listed, segmentBytes }: RunRequest,
  copied: (segment: Segment) => ChainLink,
): ChainLink | undefined {
  const before = { timeline, number: number - 1n };
  const isMissing = covers.some(
    (one) => !one.isThere && one.timeline === timeline && one.first < number && number <= one.last,
  );
  return isMissing && listed.has(formatSegment(before, segmentBytes)) ? copied(before) : undefined;
}

/** Why a copy must not be taken, if anything speaks against it. */
function problemOf(
  segment: Segment,
  { provenTo, broken }: ChainProof,
  request: RunRequest,
): string | undefined {
  const { segmentBytes } = request;
  const end = segmentStart(segment.number + 1n, segmentBytes);
  // Also behind its last record: a file that is too short may end in what nobody reads.
  if (broken?.segment.number === segment.number) return broken.problem;
  if (provenTo < end) {
    if (broken === undefined) {
      return 'its last record goes on in a segment that neither archive nor server has';
    }
    const name = formatSegment(broken.segment, segmentBytes);
    return broken.segment.number > segment.number
      ? `it is not continued by ${name}: ${broken.problem}`
      : `it is not proven by what comes before it: ${name}: ${broken.problem}`;
  }
  if (isFinished(segment, request)) return undefined;
  return 'the server has not said that it is finished with it, and nothing newer is archived';
}

/** Whether the server can never again change what it holds. */
function isFinished(
  segment: Segment,
  { covers, listed, source, segmentBytes }: RunRequest,
): boolean {
  if (covers.some(({ isThere, first }) => isThere && first > segment.number)) return true;
  if (listed.get(formatSegment(segment, segmentBytes)) === true) return true;
  const { flushLsn } = source;
  return flushLsn !== undefined && flushLsn >= segmentStart(segment.number + 1n, segmentBytes);
}
