import { TsbkError } from '../kernel/errors.ts';
import { toInstant, type Instant } from '../kernel/instant.ts';
import { toLsn, type Lsn } from '../kernel/lsn.ts';
import { toSystemId, type SystemId } from '../kernel/system-id.ts';
import type { TimelineId } from '../kernel/wal-file.ts';
import { asBuffer } from '../stream/collect.ts';
import { crc32c } from './crc32c.ts';

/** What the cluster was doing when `pg_control` was written (`DBState`, `pg_control.h`). */
export type ClusterState = (typeof STATES)[number];

/** The part of `global/pg_control` that backup and restore look at. */
export interface ControlFile {
  readonly systemId: SystemId;
  /** 1300 for PostgreSQL 13 to 16, 1700 and 1800 after that. */
  readonly controlVersion: number;
  /** Tells major versions apart, also where the control version is the same. */
  readonly catalogVersion: number;
  readonly state: ClusterState;
  /** When the file was written; whole seconds. */
  readonly modified: Instant;
  /** Where the last checkpoint's record is, and where recovery from it begins. */
  readonly checkpointLsn: Lsn;
  readonly redoLsn: Lsn;
  readonly timeline: TimelineId;
  readonly previousTimeline: TimelineId;
  readonly checkpointTime: Instant;
  /** How far a standby must replay to be consistent; `0/0` on a primary. */
  readonly minRecoveryLsn: Lsn;
  readonly minRecoveryTimeline: TimelineId;
  /** Settings of the server that wrote the file. */
  readonly maxPreparedTransactions: number;
  readonly maxLocksPerTransaction: number;
  readonly blockBytes: number;
  readonly walBlockBytes: number;
  readonly segmentBytes: number;
  /** 0 without data checksums, otherwise the version of their algorithm. */
  readonly dataChecksumVersion: number;
}

const STATES = [
  'starting up',
  'shut down',
  'shut down in recovery',
  'shutting down',
  'in crash recovery',
  'in archive recovery',
  'in production',
] as const;

/** Where the CRC is, by control version. It covers everything before it. */
const CRC_OFFSETS: ReadonlyMap<number, number> = new Map([
  [1300, 288],
  [1700, 288],
  [1800, 292],
]);
/** The last field read here and the furthest CRC are within this. */
const BYTES_MIN = 296;
const NS_PER_SECOND = 1_000_000_000n;

/**
 * Reads `pg_control` of PostgreSQL 13 to 18 (little-endian; all fields but the CRC have the same
 * places in these versions). Throws `control-file-invalid`, which another read may cure: the
 * server may write the file while it is read.
 */
export function parseControlFile(content: Uint8Array): ControlFile {
  const bytes = asBuffer(content);
  if (bytes.length < BYTES_MIN) throw invalid(`has only ${bytes.length} bytes`);
  const controlVersion = bytes.readUInt32LE(8);
  const crcOffset = CRC_OFFSETS.get(controlVersion);
  if (crcOffset === undefined) {
    throw invalid(`is of version ${controlVersion}, tsbk knows those of PostgreSQL 13 to 18`);
  }
  if (crc32c(bytes.subarray(0, crcOffset)) !== bytes.readUInt32LE(crcOffset)) {
    throw invalid('has the wrong checksum');
  }
  const state = STATES[bytes.readUInt32LE(16)];
  if (state === undefined) throw invalid(`says an unknown state, ${bytes.readUInt32LE(16)}`);
  return {
    systemId: toSystemId(bytes.readBigUInt64LE(0)),
    controlVersion,
    catalogVersion: bytes.readUInt32LE(12),
    state,
    modified: secondsAt(bytes, 24),
    checkpointLsn: lsnAt(bytes, 32),
    redoLsn: lsnAt(bytes, 40),
    timeline: bytes.readUInt32LE(48),
    previousTimeline: bytes.readUInt32LE(52),
    checkpointTime: secondsAt(bytes, 104),
    minRecoveryLsn: lsnAt(bytes, 136),
    minRecoveryTimeline: bytes.readUInt32LE(144),
    maxPreparedTransactions: bytes.readInt32LE(192),
    maxLocksPerTransaction: bytes.readInt32LE(196),
    blockBytes: bytes.readUInt32LE(216),
    walBlockBytes: bytes.readUInt32LE(224),
    segmentBytes: bytes.readUInt32LE(228),
    dataChecksumVersion: bytes.readUInt32LE(252),
  };
}

function lsnAt(bytes: Buffer, offset: number): Lsn {
  return toLsn(bytes.readBigUInt64LE(offset));
}

function secondsAt(bytes: Buffer, offset: number): Instant {
  return toInstant(bytes.readBigInt64LE(offset) * NS_PER_SECOND);
}

function invalid(problem: string): TsbkError {
  return new TsbkError('control-file-invalid', `pg_control ${problem}`, {
    hint: 'Check with pg_controldata that this is the data directory of PostgreSQL 13 to 18.',
  });
}
