import { createHash } from 'node:crypto';
import { TsbkError } from '../kernel/errors.ts';
import { ByteReader } from '../format/byte-reader.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { Cipher } from '../ports/cipher.ts';
import {
  HEADER_BYTES,
  type Opener,
  SEAL_BYTES,
  createOpener,
  createSealer,
  secretstreamReady,
} from './secretstream.ts';

const CHUNK_BYTES = 8192;
const SEALED_CHUNK_BYTES = CHUNK_BYTES + SEAL_BYTES;
/** Chunks that leave together: the next stage is not called for every 8 KiB. */
const CHUNKS_A_BATCH = 32;

/**
 * WAL-G's libsodium encryption: XChaCha20-Poly1305 in chunks of 8192 bytes, the last one shorter,
 * maybe empty, and marked as final. `key` has 32 bytes.
 */
export async function libsodiumCipher(key: Uint8Array): Promise<Cipher> {
  await secretstreamReady();
  const ownKey = new Uint8Array(key);
  return {
    name: 'libsodium',
    keyId: keyId(ownKey),
    encrypt: (source) => encrypt(source, ownKey),
    decrypt: (source) => decrypt(source, ownKey),
  };
}

/** Names a key without telling it; the context keeps the hash from being of use elsewhere. */
function keyId(key: Uint8Array): string {
  const hash = createHash('sha256').update('tsbk libsodium key id 1\0').update(key);
  return hash.digest('hex').slice(0, 16);
}

/**
 * A full chunk is never the final one: WAL-G's reader takes that for a premature end. So content
 * of a multiple of 8192 bytes ends with an empty chunk.
 */
async function* encrypt(source: ByteSource, key: Uint8Array): ByteSource {
  const sealer = createSealer(key);
  const reader = new ByteReader(source);
  try {
    yield sealer.header;
    for (let isLast = false; !isLast;) {
      const sealed: Uint8Array[] = [];
      while (!isLast && sealed.length < CHUNKS_A_BATCH) {
        const plain = await reader.take(CHUNK_BYTES);
        isLast = plain.length < CHUNK_BYTES;
        sealed.push(sealer.seal(plain, { final: isLast }));
      }
      yield joined(sealed);
    }
  } finally {
    sealer.close();
    await reader.close();
  }
}

async function* decrypt(source: ByteSource, key: Uint8Array): ByteSource {
  const reader = new ByteReader(source);
  let opener: Opener | undefined;
  try {
    const header = await reader.take(HEADER_BYTES);
    if (header.length < HEADER_BYTES) throw corrupt('it is too short to be encrypted');
    opener = createOpener(key, header);
    let chunks = 0;
    for (let isLast = false; !isLast;) {
      const plain: Uint8Array[] = [];
      while (!isLast && plain.length < CHUNKS_A_BATCH) {
        const sealed = await reader.take(SEALED_CHUNK_BYTES);
        isLast = sealed.length < SEALED_CHUNK_BYTES;
        plain.push(openChunk(opener, sealed, { isFirst: chunks === 0, isLast }));
        chunks += 1;
      }
      const batch = joined(plain);
      if (batch.length > 0) yield batch;
    }
  } finally {
    opener?.close();
    await reader.close();
  }
}

function openChunk(
  opener: Opener,
  sealed: Uint8Array,
  { isFirst, isLast }: { readonly isFirst: boolean; readonly isLast: boolean },
): Uint8Array {
  if (sealed.length < SEAL_BYTES) throw corrupt('it ends without its final chunk');
  const opened = opener.open(sealed);
  if (opened === undefined) throw isFirst ? wrongKey() : corrupt('a chunk does not authenticate');
  if (opened.kind === (isLast ? 'final' : 'message')) return opened.plain;
  throw corrupt(
    isLast
      ? 'it ends without its final chunk'
      : 'a chunk in the middle is marked as no writer does',
  );
}

function wrongKey(): TsbkError {
  return new TsbkError('wrong-key', 'the data does not open with the configured libsodium key', {
    hint: 'Check WALG_LIBSODIUM_KEY and WALG_LIBSODIUM_KEY_TRANSFORM. The same is seen if the object is not encrypted or its first 8 KiB are damaged.',
  });
}

function corrupt(problem: string): TsbkError {
  return new TsbkError('object-corrupt', `the encrypted data cannot be read: ${problem}`, {
    hint: 'The object is damaged or cut off, or it is not encrypted. Take another copy of it or another backup.',
  });
}

/** The chunks as one, copied unless there is only one. */
function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const [only] = chunks;
  if (only !== undefined && chunks.length === 1) return only;
  const whole = new Uint8Array(chunks.reduce((total, chunk) => total + chunk.length, 0));
  let filled = 0;
  for (const chunk of chunks) {
    whole.set(chunk, filled);
    filled += chunk.length;
  }
  return whole;
}
