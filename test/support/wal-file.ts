import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32c } from '@tsbk/core/format/crc32c';
import { formatSegment, parseSegment, segmentStart } from '@tsbk/core/kernel/wal-file';
import { giveToServerUser } from './postgres.ts';

/** What stands in the first page header of a segment that no server wrote. */
export interface SegmentShape {
  readonly systemId: bigint;
  /** `xlp_magic`; PostgreSQL 17's if absent. */
  readonly magic: number;
  readonly flags: number;
  /** Of the header; the name's if absent. */
  readonly timeline: number;
  readonly pageAddress: bigint;
  readonly segmentBytes: number;
  readonly blockBytes: number;
  /** Length of the file; the segment size if absent. */
  readonly fileBytes: number;
  /** Segments with the same seed have the same content behind the header. */
  readonly seed: string;
}

const MIB = 1024 * 1024;
const MAGIC_17 = 0xd116;
const LONG_HEADER = 0x2;

/** The system identifier of segments that do not say another. */
export const SYSTEM_ID = 7_710_781_881_545_605_755n;

/** Name of the n-th segment of 1 MiB of a timeline. */
export function segmentName(number: number, timeline = 1): string {
  return formatSegment({ timeline, number: BigInt(number) }, MIB);
}

/**
 * A file that archiving and recovery must take for the segment `name` (of 1 MiB), unless `shape`
 * says something wrong: a valid header, then bytes that compress by half.
 */
export function segmentContent(name: string, shape: Partial<SegmentShape> = {}): Buffer {
  const segmentBytes = shape.segmentBytes ?? MIB;
  const segment = parseSegment(name, segmentBytes) ?? { timeline: 1, number: 1n };
  const bytes = Buffer.alloc(shape.fileBytes ?? segmentBytes);
  const noise = createHash('shake256', { outputLength: bytes.length >> 1 });
  bytes.set(noise.update(shape.seed ?? name).digest(), 0);
  const header = Buffer.alloc(40);
  header.writeUInt16LE(shape.magic ?? MAGIC_17, 0);
  header.writeUInt16LE(shape.flags ?? LONG_HEADER, 2);
  header.writeUInt32LE(shape.timeline ?? segment.timeline, 4);
  header.writeBigUInt64LE(shape.pageAddress ?? segmentStart(segment.number, segmentBytes), 8);
  header.writeBigUInt64LE(shape.systemId ?? SYSTEM_ID, 24);
  header.writeUInt32LE(segmentBytes, 32);
  header.writeUInt32LE(shape.blockBytes ?? 8192, 36);
  header.copy(bytes);
  return bytes;
}

/** Writes `content` where `archive_command` could find it, and gives the path. */
export function writeWalFile(folder: string, name: string, content: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, content, { mode: 0o600 });
  giveToServerUser(path);
  return path;
}

/** A segment that is sent in two parts of 5 MiB or less, and its name. */
export function largeSegment(): { readonly name: string; readonly content: Buffer } {
  const name = segmentName(1);
  const segmentBytes = 8 * MIB;
  return { name, content: segmentContent(name, { segmentBytes }) };
}

/** A history file as PostgreSQL writes it. */
export function historyContent(reason = 'no recovery target specified'): string {
  return `1\t0/5000000\t${reason}\n`;
}

/** A backup history file, as far as anybody reads it. */
export function backupHistoryContent(label = 'nightly'): string {
  return `START WAL LOCATION: 0/100028 (file 000000010000000000000001)\nLABEL: ${label}\n`;
}

/** What `pg_control` of PostgreSQL 17 says of the system identifier, and nothing else. */
export function controlContent(systemId = SYSTEM_ID): Buffer {
  const bytes = Buffer.alloc(8192);
  bytes.writeBigUInt64LE(systemId, 0);
  bytes.writeUInt32LE(1700, 8);
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, 288)), 288);
  return bytes;
}
