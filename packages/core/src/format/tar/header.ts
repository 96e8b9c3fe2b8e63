import type { Instant } from '../../kernel/instant.ts';

/** Headers are one block; a member's body is padded with zeros to whole blocks (POSIX pax). */
export const TAR_BLOCK_BYTES = 512;

/** What a tar archive says of one member. */
export interface TarHeader {
  /** `other` is everything a PostgreSQL backup has no use for: hard links, devices, pipes. */
  readonly kind: 'file' | 'directory' | 'symlink' | 'other';
  /** The type byte as a character: `0`, `5`, `2`; NUL for a file of a v7 archive. */
  readonly typeflag: string;
  /** As it stands in the archive, with leading `/` or `./` and trailing `/`. */
  readonly name: string;
  /** The name's bytes, when they are not valid UTF-8 (then `name` has replacement characters). */
  readonly rawName?: Uint8Array;
  /** Length of the body; 0 for what has none. */
  readonly bytes: number;
  /** Permission bits, 0o7777 at most. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly modified: Instant;
  /** Target of a link. */
  readonly linkName?: string;
  /** The target's bytes, when they are not valid UTF-8. */
  readonly rawLinkName?: Uint8Array;
  readonly uname?: string;
  readonly gname?: string;
}

/** A field of a header block. */
export interface HeaderField {
  readonly offset: number;
  readonly bytes: number;
}

/**
 * Where the fields of a header block are (POSIX.1-1988 "ustar"; the first nine are v7's). In GNU's
 * older format the place of `prefix` holds other things.
 */
export const HEADER_FIELDS = {
  name: { offset: 0, bytes: 100 },
  mode: { offset: 100, bytes: 8 },
  uid: { offset: 108, bytes: 8 },
  gid: { offset: 116, bytes: 8 },
  size: { offset: 124, bytes: 12 },
  modified: { offset: 136, bytes: 12 },
  checksum: { offset: 148, bytes: 8 },
  typeflag: { offset: 156, bytes: 1 },
  linkName: { offset: 157, bytes: 100 },
  magic: { offset: 257, bytes: 8 },
  uname: { offset: 265, bytes: 32 },
  gname: { offset: 297, bytes: 32 },
  deviceMajor: { offset: 329, bytes: 8 },
  deviceMinor: { offset: 337, bytes: 8 },
  prefix: { offset: 345, bytes: 155 },
} as const satisfies Record<string, HeaderField>;

/** Zeros between the end of a body of this length and the next header. */
export function paddingBytes(bytes: number): number {
  return (TAR_BLOCK_BYTES - (bytes % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES;
}
