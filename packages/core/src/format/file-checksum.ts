import { createHash } from 'node:crypto';
import type { ChecksumAlgorithm } from '../kernel/checksum-algorithm.ts';
import { crc32c, crc32cHex } from './crc32c.ts';

/** A checksum as backup manifests have them, of bytes that come in pieces. */
export interface FileChecksum {
  add(chunk: Uint8Array): void;
  /** Of everything so far, lower-case hexadecimal; empty for `NONE`. Ask once. */
  hex(): string;
}

/** Begins the checksum of one file. */
export function fileChecksum(algorithm: ChecksumAlgorithm): FileChecksum {
  switch (algorithm) {
    case 'NONE':
      return { add: () => {}, hex: () => '' };
    case 'CRC32C': {
      let crc = 0;
      return {
        add: (chunk) => {
          crc = crc32c(chunk, crc);
        },
        hex: () => crc32cHex(crc),
      };
    }
    case 'SHA224':
    case 'SHA256':
    case 'SHA384':
    case 'SHA512': {
      const hash = createHash(algorithm.toLowerCase());
      return { add: (chunk) => void hash.update(chunk), hex: () => hash.digest('hex') };
    }
  }
}
