import type { ReportEvent } from '../ports/report.ts';
import { SCRATCH_MEMORY_BYTES } from '../stream/scratch-bytes.ts';
import type { OpenedRepository } from './open-repository.ts';

const MIB = 1024 ** 2;

/**
 * Node.js itself, the code, the S3 client. Measured as resident, over S3 with parts of 8 MiB: 175 MiB
 * for one lane, 245 for two and 350 for four; to a directory 135, 190 and 215.
 */
const BASE_BYTES = 130 * MIB;
/** A thread with the code that it has loaded, raw bytes in front of it, what codec and cipher hold. */
const LANE_BYTES = 28 * MIB;

/** Four ranges of an object that is read, and what it is decompressed with. */
const READER_BYTES = 16 * MIB;

/**
 * What a backup will use at most, for the line that says so before it begins: each lane has its
 * raw bytes, the parts on their way and the one that is gathered.
 */
export function backupResources(
  { partBytes, partsInFlight, limits }: OpenedRepository,
  lanes: number,
): Extract<ReportEvent, { kind: 'resources' }> {
  return {
    kind: 'resources',
    lanes,
    memoryBytes: BASE_BYTES + lanes * (LANE_BYTES + (partsInFlight + 1) * partBytes),
    networkBytesPerSecond: limits.network?.bytesPerSecond,
    diskBytesPerSecond: limits.disk?.bytesPerSecond,
  };
}

/** The same of a merge, which reads one object at a time and keeps pages beside it. */
export function mergeResources(
  repository: OpenedRepository,
  lanes: number,
): Extract<ReportEvent, { kind: 'resources' }> {
  const backup = backupResources(repository, lanes);
  return { ...backup, memoryBytes: backup.memoryBytes + READER_BYTES + SCRATCH_MEMORY_BYTES };
}
