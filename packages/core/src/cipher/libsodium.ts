import { createHash } from 'node:crypto';
import { TsbkError } from '../kernel/errors.ts';
import { ByteReader } from '../format/byte-reader.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { Cipher } from '../ports/cipher.ts';
import {
  HEADER_BYTES,
  type Opener,
  SEAL_BYTES,
  type Secretstream,
  loadSecretstream,
} from './secretstream.ts';

const CHUNK_BYTES = 8192;
const SEALED_CHUNK_BYTES = CHUNK_BYTES + SEAL_BYTES;
/** Chunks that leave together: the next stage is not called for every 8 KiB. */
const CHUNKS_A_BATCH = 32;

/**
 * WAL-G's libsodium encryption: XChaCha20-Poly1305 in chunks of 8192 bytes, the last one shorter,
 * maybe empty, and marked as final. `key` has 32 bytes. The library loads now, the native one where
 * it can.
 */
export async function libsodiumCipher(
  key: Uint8Array,
  load: () => Promise<Secretstream> = loadSecretstream,
): Promise<Cipher> {
  const secretstream = await load();
  const ownKey = new Uint8Array(key);
  return {
    name: 'libsodium',
    keyId: keyId(ownKey),
    encrypt: (source) => encrypt(source, secretstream, ownKey),
    decrypt: (source) => decrypt(source, secretstream, ownKey),
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
async function* encrypt(
  source: ByteSource,
  secretstream: Secretstream,
  key: Uint8Array,
): ByteSource {
  const sealer = secretstream.createSealer(key);
  const reader = new ByteReader(source);
  try {
    yield sealer.header;
    for (let isLast = false; !isLast;) {
      const batch = Buffer.allocUnsafeSlow(CHUNKS_A_BATCH * SEALED_CHUNK_BYTES);
      let filled = 0;
      while (!isLast && filled < batch.length) {
        const plain = reader.buffered(CHUNK_BYTES) ?? (await reader.take(CHUNK_BYTES));
        isLast = plain.length < CHUNK_BYTES;
        const end = filled + plain.length + SEAL_BYTES;
        sealer.seal(plain, batch.subarray(filled, end), { final: isLast });
        filled = end;
      }
      yield batch.subarray(0, filled);
    }
  } finally {
    sealer.close();
    await reader.close();
  }
}

async function* decrypt(
  source: ByteSource,
  secretstream: Secretstream,
  key: Uint8Array,
): ByteSource {
  const reader = new ByteReader(source);
  let opener: Opener | undefined;
  try {
    const header = await reader.take(HEADER_BYTES);
    if (header.length < HEADER_BYTES) throw corrupt('it is too short to be encrypted');
    opener = secretstream.createOpener(key, header);
    let isFirst = true;
    for (let isLast = false; !isLast;) {
      const batch = Buffer.allocUnsafeSlow(CHUNKS_A_BATCH * CHUNK_BYTES);
      let filled = 0;
      while (!isLast && filled < batch.length) {
        const sealed =
          reader.buffered(SEALED_CHUNK_BYTES) ?? (await reader.take(SEALED_CHUNK_BYTES));
        isLast = sealed.length < SEALED_CHUNK_BYTES;
        filled += openChunk(opener, sealed, batch.subarray(filled), { isFirst, isLast });
        isFirst = false;
      }
      if (filled > 0) yield batch.subarray(0, filled);
    }
  } finally {
    opener?.close();
    await reader.close();
  }
}

/** Decrypts one chunk to the head of `room`; the length of what is there then. */
function openChunk(
  opener: Opener,
  sealed: Uint8Array,
  room: Uint8Array,
  { isFirst, isLast }: { readonly isFirst: boolean; readonly isLast: boolean },
): number {
  if (sealed.length < SEAL_BYTES) throw corrupt('it ends without its final chunk');
  const bytes = sealed.length - SEAL_BYTES;
  const kind = opener.open(sealed, room.subarray(0, bytes));
  if (kind === 'forged') throw isFirst ? wrongKey() : corrupt('a chunk does not authenticate');
  if (kind === (isLast ? 'final' : 'message')) return bytes;
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
