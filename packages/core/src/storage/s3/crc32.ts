import { crc32 } from 'node:zlib';

/** CRC-32 of `bytes` as S3 writes it: four bytes, big end first, in base64. */
export function crc32Of(bytes: Uint8Array): string {
  return encodeCrc32(crc32(bytes));
}

export function encodeCrc32(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes.toString('base64');
}

/**
 * The checksum of an object made of parts with these checksums: that of their bytes in a row, and
 * their number (Amazon S3 user guide, "Checking object integrity": composite checksums).
 */
export function compositeCrc32(parts: readonly string[]): string {
  const row = Buffer.concat(parts.map((part) => Buffer.from(part, 'base64')));
  return `${crc32Of(row)}-${parts.length}`;
}
