import {
  parseSegment,
  segmentNumberAt,
  segmentStart,
  type TimelineId,
} from '../kernel/wal-file.ts';
import type { Lsn } from '../kernel/lsn.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { WAL_FOLDER } from '../repository/layout.ts';
import { findWal } from '../repository/wal-archive.ts';
import { segmentsWithPieces } from '../repository/wal-pieces.ts';
import { mapParallel } from '../stream/parallel.ts';
import { nameOf, timelineOf, type SegmentWay } from './segment-way.ts';

/** Where to begin to receive. */
export interface ReceiveStart {
  /** The start of a segment. */
  readonly lsn: Lsn;
  readonly timeline: TimelineId;
}

/** How far back from the slot the archive is searched for its end, in segments. */
const LOOK_BACK_MAX = 256n;
const LOOKUPS_AT_ONCE = 16;
/** No fewer than the intake stores at the same time. */
const STORED_AT_ONCE = 5n;
const SEGMENT_DIGITS = 24;

/**
 * The first segment that is not in the archive, seen from where the slot is or, without one, from
 * where the server is. Going back from there finds what a receiver without slot, or with a new one,
 * has to make up for: what comes behind the last segment that is archived, or the one that it was at,
 * of which there are pieces. Where there is neither, there is nothing to go back to.
 * `archive_command` may have been faster for those that follow.
 */
export async function findStart(
  repository: Repository,
  { way, slotLsn, serverLsn }: StartRequest,
  { signal }: RunOptions,
): Promise<ReceiveStart> {
  const serverSegment = segmentNumberAt(serverLsn, way.segmentBytes);
  const base = slotLsn === undefined ? serverSegment : segmentNumberAt(slotLsn, way.segmentBytes);
  let number = await behindArchive(repository, way, base, { signal });
  if (number === undefined && slotLsn === undefined) {
    // Where no slot says what the server still keeps for us, nothing may be passed over in silence.
    const last = await lastListed(repository, way, base, { signal });
    number = last === undefined ? undefined : last + 1n;
  }
  number ??= base;
  while (number < serverSegment && (await has(repository, way, number, { signal }))) number += 1n;
  return startAt(way, number);
}

interface StartRequest {
  readonly way: SegmentWay;
  /** From where on a slot keeps WAL. */
  readonly slotLsn: Lsn | undefined;
  readonly serverLsn: Lsn;
}

/** The beginning of a segment of the way. */
export function startAt(way: SegmentWay, number: bigint): ReceiveStart {
  return { lsn: segmentStart(number, way.segmentBytes), timeline: timelineOf(way, number) };
}

/**
 * The segment to go on from when looking back from `base`: behind the last one that is archived, but not
 * behind one that is missing just before it, or of which there are only pieces.
 */
async function behindArchive(
  repository: Repository,
  way: SegmentWay,
  base: bigint,
  { signal }: RunOptions,
): Promise<bigint | undefined> {
  const lowest = base > LOOK_BACK_MAX ? base - LOOK_BACK_MAX : 0n;
  const open = await firstWithPieces(repository, way, { signal, lowest, base });
  if (!(await hasWal(repository, { signal }))) return open;
  const last = await lastArchived(repository, way, { signal, lowest, base });
  if (last === undefined) return open;
  const hole = await holeBefore(repository, way, last, { signal });
  const next = hole ?? last + 1n;
  return open === undefined || next < open ? next : open;
}

async function lastArchived(
  repository: Repository,
  way: SegmentWay,
  { signal, lowest, base }: RunOptions & { readonly lowest: bigint; readonly base: bigint },
): Promise<bigint | undefined> {
  // One by one at first: mostly it is the very last.
  let width = 1n;
  for (let upper = base - 1n; upper >= lowest;) {
    const numbers = range(upper - width + 1n > lowest ? upper - width + 1n : lowest, upper);
    const found = await areThere(repository, way, numbers, { signal });
    const number = numbers[found.lastIndexOf(true)];
    if (number !== undefined) return number;
    upper -= width;
    width = BigInt(LOOKUPS_AT_ONCE);
  }
  return undefined;
}

/**
 * A receiver stores several segments at the same time: one that was killed may have stored a later one
 * and not an earlier one. The first that is missing among so many before `last`, behind one that is there.
 */
async function holeBefore(
  repository: Repository,
  way: SegmentWay,
  last: bigint,
  { signal }: RunOptions,
): Promise<bigint | undefined> {
  const numbers = range(last > STORED_AT_ONCE ? last - STORED_AT_ONCE : 0n, last);
  const found = await areThere(repository, way, numbers, { signal });
  return numbers[found.indexOf(false, found.indexOf(true))];
}

function areThere(
  repository: Repository,
  way: SegmentWay,
  numbers: readonly bigint[],
  { signal }: RunOptions,
): Promise<boolean[]> {
  return mapParallel(numbers, { width: LOOKUPS_AT_ONCE, signal }, async (number, both) =>
    has(repository, way, number, { signal: both }),
  );
}

/** The first segment before `base` of which there are pieces and not the whole. */
async function firstWithPieces(
  repository: Repository,
  way: SegmentWay,
  { signal, lowest, base }: RunOptions & { readonly lowest: bigint; readonly base: bigint },
): Promise<bigint | undefined> {
  for await (const name of segmentsWithPieces(repository, { signal })) {
    const number = parseSegment(name, way.segmentBytes)?.number;
    if (number === undefined || number < lowest || number >= base) continue;
    if (nameOf(way, number) !== name) continue;
    if (!(await has(repository, way, number, { signal }))) return number;
  }
  return undefined;
}

/** The last segment of the way before `base` that is listed, however far back it is. */
async function lastListed(
  { store }: Repository,
  way: SegmentWay,
  base: bigint,
  { signal }: RunOptions,
): Promise<bigint | undefined> {
  let last: bigint | undefined;
  for await (const { key } of store.list(WAL_FOLDER, { signal, shallow: true })) {
    const name = key.slice(WAL_FOLDER.length, WAL_FOLDER.length + SEGMENT_DIGITS);
    const number = parseSegment(name, way.segmentBytes)?.number;
    if (number === undefined || number >= base || nameOf(way, number) !== name) continue;
    if (last === undefined || number > last) last = number;
  }
  return last;
}

function range(from: bigint, to: bigint): bigint[] {
  const numbers: bigint[] = [];
  for (let number = from; number <= to; number += 1n) numbers.push(number);
  return numbers;
}

async function has(
  repository: Repository,
  way: SegmentWay,
  number: bigint,
  { signal }: RunOptions,
): Promise<boolean> {
  return (await findWal(repository, nameOf(way, number), { signal })) !== undefined;
}

async function hasWal({ store }: Repository, { signal }: RunOptions): Promise<boolean> {
  for await (const _ of store.list(WAL_FOLDER, { signal, shallow: true })) return true;
  return false;
}
