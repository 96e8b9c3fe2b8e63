import type { ChecksumAlgorithm } from '../kernel/checksum-algorithm.ts';
import type { Instant } from '../kernel/instant.ts';
import type { Lsn } from '../kernel/lsn.ts';
import type { SystemId } from '../kernel/system-id.ts';
import type { TimelineId } from '../kernel/wal-file.ts';
import type { ByteSource } from '../ports/bytes.ts';
import { ManifestParser } from './manifest-parser.ts';

/** PostgreSQL's `backup_manifest` ("Backup Manifest Format" in its documentation). */
export interface Manifest extends ManifestSummary {
  readonly files: readonly ManifestFile[];
}

/** All of a manifest but its files. */
export interface ManifestSummary {
  /** 1 from PostgreSQL 13 to 16, 2 from 17 on. Only 2 can be the parent of an incremental backup. */
  readonly version: 1 | 2;
  /** Not in version 1. */
  readonly systemId: SystemId | undefined;
  /** WAL needed to restore, newest timeline first. */
  readonly walRanges: readonly ManifestWalRange[];
  /** SHA-256 of everything before the last line, hexadecimal; verified. */
  readonly sha256: string;
}

export interface ManifestFile {
  /** Relative to the data directory, `pg_tblspc/OID/…` for tablespaces. Not checked for `..`. */
  readonly path: string;
  /** The path's bytes, when they are not valid UTF-8. */
  readonly rawPath?: Uint8Array;
  readonly bytes: number;
  /** Whole seconds. */
  readonly modified: Instant;
  readonly checksumAlgorithm: ChecksumAlgorithm;
  /** Lower-case hexadecimal; empty for `NONE`. CRC-32C is in memory order: see `crc32cHex`. */
  readonly checksum: string;
}

export interface ManifestWalRange {
  readonly timeline: TimelineId;
  readonly startLsn: Lsn;
  readonly endLsn: Lsn;
}

/** Reads a manifest. Throws `record-invalid`, naming `what`, also when its checksum is wrong. */
export function parseManifest(bytes: Uint8Array, what: string): Manifest {
  const files: ManifestFile[] = [];
  const parser = new ManifestParser({ what, onFile: (file) => files.push(file) });
  parser.push(bytes);
  return { ...parser.end(), files };
}

export interface ReadManifestOptions {
  readonly what: string;
  /** Called for each file. None of it may be trusted before `readManifest` has resolved. */
  readonly onFile: (file: ManifestFile) => void;
}

/**
 * Reads a manifest as it streams by: memory does not depend on the number of files. Throws what
 * `parseManifest` throws.
 */
export async function readManifest(
  source: ByteSource,
  options: ReadManifestOptions,
): Promise<ManifestSummary> {
  const parser = new ManifestParser(options);
  for await (const chunk of source) parser.push(chunk);
  return parser.end();
}
