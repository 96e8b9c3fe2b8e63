import type { SystemId } from '../kernel/system-id.ts';
import type { Segment } from '../kernel/wal-file.ts';
import type { Report } from '../ports/report.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { eachParallel } from '../stream/parallel.ts';
import { archivedLink } from './archived-link.ts';
import { proveChain, type ChainLink } from './chain.ts';
import type { Cover } from './coverage.ts';

/** An archived segment that recovery could not get through. */
export interface CorruptSegment {
  readonly segment: Segment;
  readonly problem: string;
}

export interface ContentReport {
  /** In the order of the WAL. */
  readonly corrupt: readonly CorruptSegment[];
  readonly checked: number;
}

export interface ContentRequest {
  /** In the order of the WAL; only what is there is read. */
  readonly covers: readonly Cover[];
  readonly segmentBytes: number;
  readonly systemId: SystemId | undefined;
}

/** One more is read behind each span, so that the links between spans are looked at, too. */
const SPAN_SEGMENTS = 16;
const SPANS_AT_ONCE = 3;

/** Reads every segment that is there, and finds those that are damaged or do not continue each other. */
export async function checkContent(
  repository: Repository,
  request: ContentRequest,
  { signal, report }: RunOptions & { readonly report: Report },
): Promise<ContentReport> {
  if (repository.cipher.unreadable !== undefined) throw repository.cipher.unreadable;
  report({ kind: 'phase', phase: 'content', text: 'reading every segment' });
  const corrupt = new Map<bigint, CorruptSegment>();
  let checked = 0;
  await eachParallel(
    spans(request.covers),
    { width: SPANS_AT_ONCE, signal },
    async (span, both) => {
      for (const found of await checkSpan(repository, { ...request, span }, { signal: both })) {
        corrupt.set(found.segment.number, found);
      }
      checked += span.own;
      report({ kind: 'progress', phase: 'content', bytes: checked * request.segmentBytes });
    },
  );
  const sorted = [...corrupt.values()].sort((a, b) =>
    a.segment.number < b.segment.number ? -1 : 1,
  );
  return { corrupt: sorted, checked };
}

interface Span {
  /** Its own segments, and the first one behind it if that is there. */
  readonly segments: readonly Segment[];
  /** How many are its own. */
  readonly own: number;
}

/** Pieces of what is there without a gap, also where the timeline changes. */
async function* spans(covers: readonly Cover[]): AsyncGenerator<Span> {
  let waiting: Segment[] = [];
  for (const segment of present(covers)) {
    const before = waiting.at(-1);
    if (before !== undefined && before.number + 1n !== segment.number) {
      yield { segments: waiting, own: waiting.length };
      waiting = [];
    } else if (waiting.length === SPAN_SEGMENTS) {
      yield { segments: [...waiting, segment], own: waiting.length };
      waiting = [];
    }
    waiting.push(segment);
  }
  if (waiting.length > 0) yield { segments: waiting, own: waiting.length };
}

function* present(covers: readonly Cover[]): Generator<Segment> {
  for (const { timeline, first, last, isThere } of covers) {
    if (!isThere) continue;
    for (let number = first; number <= last; number += 1n) yield { timeline, number };
  }
}

async function checkSpan(
  repository: Repository,
  { span, segmentBytes, systemId }: ContentRequest & { readonly span: Span },
  { signal }: RunOptions,
): Promise<CorruptSegment[]> {
  const found: CorruptSegment[] = [];
  let links: ChainLink[] = span.segments.map((segment) =>
    archivedLink(repository, segment, { signal, segmentBytes }),
  );
  for (;;) {
    const [first, ...others] = links;
    if (first === undefined) return found;
    const { broken } = await proveChain([first, ...others], { segmentBytes, systemId });
    if (broken === undefined) return found;
    const { timeline, number } = broken.segment;
    found.push({ segment: { timeline, number }, problem: broken.problem });
    // Those behind it are looked at for themselves.
    links = links.filter((link) => link.number > number);
  }
}
