import type { Lsn } from './lsn.ts';

/** Timeline number, 1 and up. Hexadecimal in file names, decimal in SQL. */
export type TimelineId = number;

/** A WAL segment: the timeline it is of and its number, counted from the start of the WAL. */
export interface Segment {
  readonly timeline: TimelineId;
  readonly number: bigint;
}

/**
 * The four names PostgreSQL gives to `archive_command` (PostgreSQL docs, "Continuous Archiving";
 * `src/include/access/xlog_internal.h`). `name` is the name as given.
 */
export type WalFileName =
  | { readonly kind: 'segment'; readonly name: string; readonly timeline: TimelineId }
  | {
      readonly kind: 'partial';
      readonly name: string;
      readonly timeline: TimelineId;
      /** Name of the segment that this file is the first part of. */
      readonly segment: string;
    }
  | { readonly kind: 'history'; readonly name: string; readonly timeline: TimelineId }
  | {
      readonly kind: 'backup-history';
      readonly name: string;
      readonly timeline: TimelineId;
      readonly segment: string;
    };

const SEGMENT = /^[0-9A-F]{24}$/;
const PARTIAL = /^([0-9A-F]{24})\.partial$/;
const HISTORY = /^([0-9A-F]{8})\.history$/;
const BACKUP_HISTORY = /^([0-9A-F]{24})\.[0-9A-F]{8}\.backup$/;

/** Recognises a WAL file name, `undefined` for anything PostgreSQL would not ask to archive. */
export function parseWalFileName(name: string): WalFileName | undefined {
  const timeline = Number.parseInt(name.slice(0, 8), 16);
  if (!(timeline > 0)) return undefined;
  if (SEGMENT.test(name)) return { kind: 'segment', name, timeline };
  if (HISTORY.test(name)) return { kind: 'history', name, timeline };
  const partial = PARTIAL.exec(name)?.[1];
  if (partial !== undefined) return { kind: 'partial', name, timeline, segment: partial };
  const backup = BACKUP_HISTORY.exec(name)?.[1];
  if (backup !== undefined) return { kind: 'backup-history', name, timeline, segment: backup };
  return undefined;
}

/** Whether `bytes` is a WAL segment size that initdb accepts. */
export function isSegmentSize(bytes: number): boolean {
  return bytes >= 1 << 20 && bytes <= 1 << 30 && (bytes & (bytes - 1)) === 0;
}

/** How many segments share the middle eight digits of a name: 2^32 bytes of WAL. */
function segmentsPerXlogId(segmentBytes: number): bigint {
  return 0x1_0000_0000n / BigInt(segmentBytes);
}

/** The 24-digit name of a segment (`XLogFileName` in PostgreSQL's source). */
export function formatSegment(segment: Segment, segmentBytes: number): string {
  const perId = segmentsPerXlogId(segmentBytes);
  const parts = [BigInt(segment.timeline), segment.number / perId, segment.number % perId];
  return parts.map((part) => part.toString(16).toUpperCase().padStart(8, '0')).join('');
}

/**
 * Reads a segment name. `undefined` if it is none, or if its last eight digits cannot occur with
 * this segment size (a name from a cluster with smaller segments).
 */
export function parseSegment(name: string, segmentBytes: number): Segment | undefined {
  if (!SEGMENT.test(name)) return undefined;
  const perId = segmentsPerXlogId(segmentBytes);
  const low = BigInt(`0x${name.slice(16)}`);
  if (low >= perId) return undefined;
  const timeline = Number.parseInt(name.slice(0, 8), 16);
  return { timeline, number: BigInt(`0x${name.slice(8, 16)}`) * perId + low };
}

/** Number of the segment that holds the byte at `lsn`. */
export function segmentNumberAt(lsn: Lsn, segmentBytes: number): bigint {
  return lsn / BigInt(segmentBytes);
}

/** First byte of a segment. */
export function segmentStart(number: bigint, segmentBytes: number): Lsn {
  return (number * BigInt(segmentBytes)) as Lsn;
}
