import type { ReportEvent } from '../ports/report.ts';
import type { OpenedRepository } from './open-repository.ts';

const MIB = 1024 ** 2;

/**
 * Node.js itself, the code, the S3 client. Measured: 215 MiB for one lane, 260 for two and 330 for
 * four, over S3 with parts of 8 MiB.
 */
const BASE_BYTES = 180 * MIB;
/** Raw bytes that wait in front of a lane, and what codec and cipher hold. */
const LANE_BYTES = 12 * MIB;

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
