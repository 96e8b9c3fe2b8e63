import { isTsbkError, TsbkError } from '../kernel/errors.ts';
import type { SystemId } from '../kernel/system-id.ts';
import { formatSegment, type Segment } from '../kernel/wal-file.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { Report } from '../ports/report.ts';
import { requireIdentity } from '../repository/identity.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { storeWal } from '../repository/wal-archive.ts';
import { tally } from '../stream/tally.ts';
import type { Cover } from './coverage.ts';
import { proveCopies, type CopySource, type ProvenCopy } from './prove-copies.ts';

/** What became of a segment that is missing. */
export interface HealedSegment {
  readonly segment: Segment;
  /**
   * `proven`: a copy would do, and nothing was stored because only the plan was asked for.
   * `refused`: there is a copy that does not prove itself. `absent`: there is none.
   */
  readonly outcome: 'stored' | 'already-there' | 'proven' | 'refused' | 'absent';
  /** Where the copy is; for `absent`, where was looked. */
  readonly where: string;
  readonly problem?: string;
}

export interface HealRequest {
  /** The way, in the order of the WAL. */
  readonly covers: readonly Cover[];
  readonly segmentBytes: number;
  readonly systemId: SystemId | undefined;
  /** Where to look, in this order. */
  readonly sources: readonly CopySource[];
  /** Only say what would be done. */
  readonly isPlan: boolean;
}

/** What a role needs to read WAL through a connection. */
const RIGHTS =
  'to read WAL through the connection the role needs GRANT pg_monitor and GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint, boolean)';

/** How many missing segments are told one by one. */
const TOLD_MAX = 10_000;

/**
 * Fills gaps of the archive with what a server still has. A copy is stored only if it has proven
 * itself between its neighbours, with the very bytes that did, and never over anything.
 */
export async function healGaps(
  repository: Repository,
  request: HealRequest,
  { signal, report }: RunOptions & { readonly report: Report },
): Promise<HealedSegment[]> {
  const healed = new Map<bigint, HealedSegment>();
  for (const source of request.sources) {
    try {
      await healFrom(repository, { ...request, source, healed }, { signal, report });
    } catch (error) {
      // Another source may do, and what is left is told as absent.
      if (!isTsbkError(error, 'server-denied')) throw error;
      report({ kind: 'warning', code: error.code, text: `${error.message}; ${RIGHTS}` });
    }
  }
  return withAbsent(healed, request);
}

async function healFrom(
  repository: Repository,
  request: HealRequest & {
    readonly source: CopySource;
    readonly healed: Map<bigint, HealedSegment>;
  },
  { signal, report }: RunOptions & { readonly report: Report },
): Promise<void> {
  const { healed, isPlan } = request;
  const done = new Set(wholeOnes(healed));
  for await (const proof of proveCopies(repository, { ...request, done }, { signal, report })) {
    const { number } = proof.segment;
    const tried = await heal(repository, proof, { isPlan, signal });
    if (!healed.has(number) || tried.outcome !== 'refused') healed.set(number, tried);
  }
}

async function heal(
  repository: Repository,
  proof: ProvenCopy,
  { isPlan, signal }: RunOptions & { readonly isPlan: boolean },
): Promise<HealedSegment> {
  const { segment, copies, name, problem } = proof;
  const { where } = copies;
  if (problem !== undefined) return { segment, outcome: 'refused', where, problem };
  if (isPlan) return { segment, outcome: 'proven', where };
  try {
    if (proof.systemId !== undefined) await requireIdentity(repository, proof.systemId, { signal });
    const source = (): ByteSource => sameAsProven(proof, signal);
    const { outcome } = await storeWal(repository, { name, source }, { signal });
    return { segment, outcome, where };
  } catch (error) {
    if (!isTsbkError(error, 'wal-conflict') && !isTsbkError(error, 'wal-file-unreadable'))
      throw error;
    return { segment, outcome: 'refused', where, problem: error.message };
  }
}

/** The file again: it fails at its end if it is not what was proven any more. */
async function* sameAsProven(
  { copies, name, sha256 }: ProvenCopy,
  signal: AbortSignal,
): ByteSource {
  const content = await copies.read(name, { signal });
  const counted = tally();
  if (content !== undefined) yield* counted.stage(content);
  if (counted.result().sha256 === sha256) return;
  throw new TsbkError('wal-file-unreadable', `${name} changed while it was read`, {
    hint: 'The server has taken the file for newer WAL. What it held is gone there.',
  });
}

function* wholeOnes(healed: ReadonlyMap<bigint, HealedSegment>): Generator<bigint> {
  for (const [number, { outcome }] of healed) if (outcome !== 'refused') yield number;
}

function withAbsent(
  healed: ReadonlyMap<bigint, HealedSegment>,
  { covers, sources, segmentBytes }: HealRequest,
): HealedSegment[] {
  const where = sources.map(({ copies }) => copies.where).join(', ');
  const told: HealedSegment[] = [];
  for (const { timeline, first, last, isThere } of covers) {
    if (isThere) continue;
    for (let number = first; number <= last && told.length < TOLD_MAX; number += 1n) {
      const segment = { timeline, number };
      const name = formatSegment(segment, segmentBytes);
      told.push(
        healed.get(number) ?? { segment, outcome: 'absent', where, problem: `no copy of ${name}` },
      );
    }
  }
  return told;
}
