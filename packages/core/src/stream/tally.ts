import { createHash } from 'node:crypto';
import type { ByteStage } from '../ports/bytes.ts';

/** Length and SHA-256 of what passed through; read it after the source has ended. */
export interface Tally {
  readonly stage: ByteStage;
  result(): { readonly bytes: number; readonly sha256: string };
}

/** A stage that counts and hashes the bytes that pass, and changes none. Use it once. */
export function tally(): Tally {
  const hash = createHash('sha256');
  let bytes = 0;
  let sha256: string | undefined;
  return {
    stage: async function* (source) {
      for await (const chunk of source) {
        bytes += chunk.length;
        hash.update(chunk);
        yield chunk;
      }
    },
    result: () => {
      sha256 ??= hash.digest('hex');
      return { bytes, sha256 };
    },
  };
}
