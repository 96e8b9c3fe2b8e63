import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import fc from 'fast-check';
import sodium from 'libsodium-wrappers';
import { isTsbkError } from '../kernel/errors.ts';
import type { ErrorCode } from '../kernel/error-codes.ts';
import type { Cipher } from '../ports/cipher.ts';
import { chunked } from '../stream/chunked.ts';
import { collect } from '../stream/collect.ts';
import { lent } from '../stream/release.ts';
import { sampleBytes } from '../stream/sample-bytes.ts';
import { pipe, sourceOf } from '../stream/source.ts';
import { libsodiumCipher } from './libsodium.ts';
import { noCipher } from './none.ts';
import { type Sealer, SEAL_BYTES, type Secretstream, loadSecretstream } from './secretstream.ts';
import { loadNativeSecretstream } from './secretstream-native.ts';
import { loadPortableSecretstream } from './secretstream-portable.ts';

/** Of the library compiled to WebAssembly. */
interface Allocator {
  _malloc(bytes: number): number;
  _free(address: number): void;
}

/** Only the end of the library's memory has so much in one piece: where it is tells what lies before. */
const LARGE_BYTES = 1 << 20;
const MAX = { maxBytes: 64 << 20, what: 'the test' };
const KEY = Buffer.from('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 'hex');
const CHUNK = 8192;
const SEALED = 8209;

/** Written by WAL-G with this key and without compression. */
const BY_WALG = Buffer.from(
  'LGiR40mQ34xZfF6ly07oPRcHDc/HQV79KNmJmuumqAy+lvLyw9hRcK4kjZ4Bj+sFXQCYa6WAm/PH5KmMPCXVnXrRWULZjApFKmOzVep0',
  'base64',
);

let cipher: Cipher;
let secretstream: Secretstream;

const encrypt = (plain: Uint8Array): Promise<Buffer> =>
  collect(cipher.encrypt(sourceOf(plain)), MAX);
const decrypt = (bytes: Uint8Array): Promise<Buffer> =>
  collect(cipher.decrypt(sourceOf(bytes)), MAX);

function refuses(bytes: Uint8Array, code: ErrorCode, problem = /./): Promise<void> {
  return assert.rejects(decrypt(bytes), (error: Error) => {
    assert.ok(isTsbkError(error, code), String(error));
    assert.match(error.message, problem);
    return true;
  });
}

function seal(sealer: Sealer, plain: Uint8Array, options: { readonly final: boolean }): Buffer {
  const sealed = Buffer.alloc(plain.length + SEAL_BYTES);
  sealer.seal(plain, sealed, options);
  return sealed;
}

for (const load of [loadNativeSecretstream, loadPortableSecretstream]) describeWith(load);

function describeWith(load: () => Promise<Secretstream>): void {
  describe(`libsodiumCipher with ${load.name}`, () => {
    before(async () => {
      secretstream = await load();
      cipher = await libsodiumCipher(KEY, load);
    });

    it('is done with a chunk when it asks for the next one', async () => {
      const plain = sampleBytes('mixed', 3 * CHUNK + 100);
      const bytes = await encrypt(plain);
      for (const cuts of [[1, 70_000], [17, 23, 5000], [SEALED]]) {
        const read = await collect(pipe(chunked(bytes, cuts), lent, cipher.decrypt), MAX);
        assert.ok(read.equals(plain));
      }
    });

    it('reads what WAL-G wrote', async () => {
      assert.equal((await decrypt(BY_WALG)).toString(), 'a small object of a WAL-G repository\n');
    });

    it('reads back what it wrote, whatever its length and however it was cut', async () => {
      const near = (bytes: number): fc.Arbitrary<number> =>
        fc.integer({ min: -2, max: 2 }).map((off) => Math.max(0, bytes + off));
      await fc.assert(
        fc.asyncProperty(
          fc.oneof(fc.nat(30_000), ...[0, CHUNK, 2 * CHUNK, 65_536, 1 << 20].map((at) => near(at))),
          fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 3 }),
          async (length, sizes) => {
            const plain = sampleBytes('mixed', length);
            // Pieces of one byte alone would make a million of them.
            const cuts = [0, ...sizes, length >> 3];
            const bytes = await collect(cipher.encrypt(chunked(plain, cuts)), MAX);
            const chunks = Math.floor(length / CHUNK);
            assert.equal(bytes.length, 24 + chunks * SEALED + (length % CHUNK) + 17);
            const read = await collect(pipe(chunked(bytes, cuts), cipher.decrypt), MAX);
            assert.ok(read.equals(plain));
          },
        ),
        { numRuns: 60 },
      );
    });

    it('ends content of a multiple of 8192 bytes with an empty final chunk', async () => {
      assert.equal((await encrypt(Buffer.alloc(0))).length, 24 + 17);
      assert.equal((await encrypt(Buffer.alloc(CHUNK))).length, 24 + SEALED + 17);
      assert.equal((await encrypt(Buffer.alloc(3 * CHUNK))).length, 24 + 3 * SEALED + 17);
    });

    it('never makes the same bytes twice', async () => {
      assert.notDeepEqual(await encrypt(Buffer.from('same')), await encrypt(Buffer.from('same')));
    });

    it('names its key by a hash, the same for the same key', async () => {
      assert.match(cipher.keyId ?? '', /^[0-9a-f]{16}$/);
      assert.equal((await libsodiumCipher(KEY)).keyId, cipher.keyId);
      const other = await libsodiumCipher(new Uint8Array(32));
      assert.notEqual(other.keyId, cipher.keyId);
    });

    it('keeps its key when the caller wipes its copy', async () => {
      const copy = new Uint8Array(KEY);
      const own = await libsodiumCipher(copy);
      copy.fill(0);
      const bytes = await collect(own.encrypt(sourceOf(Buffer.from('kept'))), MAX);
      assert.equal((await decrypt(bytes)).toString(), 'kept');
    });

    it('refuses another key and data that is not encrypted', async () => {
      const other = await libsodiumCipher(new Uint8Array(32));
      for (const length of [0, 100, CHUNK, 3 * CHUNK]) {
        const bytes = await collect(other.encrypt(sourceOf(sampleBytes('records', length))), MAX);
        await refuses(bytes, 'wrong-key');
      }
      await refuses(sampleBytes('records', 100_000), 'wrong-key');
    });

    it('refuses damage in the first chunk as a wrong key and later damage as damage', async () => {
      const whole = await encrypt(sampleBytes('mixed', 3 * CHUNK + 100));
      for (let i = 0; i < 300; i += 1) {
        const bit = (i * 2654435761) % (whole.length * 8);
        const bytes = Buffer.from(whole);
        bytes[bit >>> 3] = (bytes[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
        await refuses(bytes, bit >>> 3 < 24 + SEALED ? 'wrong-key' : 'object-corrupt');
      }
    });

    it('refuses data cut off at any byte of a small object', async () => {
      const whole = await encrypt(Buffer.from('a small object'));
      for (let length = 0; length < whole.length; length += 1) {
        await refuses(whole.subarray(0, length), length < 24 + 17 ? 'object-corrupt' : 'wrong-key');
      }
    });

    it('refuses data cut off between two chunks, which WAL-G takes for whole', async () => {
      for (const length of [2 * CHUNK, 2 * CHUNK + 50]) {
        const whole = await encrypt(sampleBytes('mixed', length));
        for (const chunks of [1, 2]) {
          const cut = whole.subarray(0, 24 + chunks * SEALED);
          await refuses(cut, 'object-corrupt', /ends without its final chunk/);
        }
        await refuses(whole.subarray(0, 24), 'object-corrupt', /ends without its final chunk/);
      }
    });

    it('refuses bytes after the final chunk', async () => {
      for (const length of [100, CHUNK, 2 * CHUNK + 100]) {
        const whole = await encrypt(sampleBytes('mixed', length));
        const code = length < CHUNK ? 'wrong-key' : 'object-corrupt';
        for (const rest of [1, 17, SEALED, 3 * SEALED]) {
          await refuses(Buffer.concat([whole, Buffer.alloc(rest)]), code);
        }
      }
    });

    it('refuses chunks that are swapped, left out or repeated', async () => {
      const whole = await encrypt(sampleBytes('mixed', 4 * CHUNK));
      const header = whole.subarray(0, 24);
      const at = (i: number): Buffer => whole.subarray(24 + i * SEALED, 24 + (i + 1) * SEALED);
      for (const order of [
        [0, 2, 1, 3, 4],
        [0, 2, 3, 4],
        [0, 1, 1, 2, 3, 4],
      ]) {
        await refuses(Buffer.concat([header, ...order.map((i) => at(i))]), 'object-corrupt');
      }
    });

    it('refuses a full chunk that is marked as final', async () => {
      const sealer = secretstream.createSealer(KEY);
      const full = seal(sealer, new Uint8Array(CHUNK), { final: true });
      const empty = seal(sealer, new Uint8Array(0), { final: true });
      sealer.close();
      const marked = /marked as no writer does/;
      await refuses(Buffer.concat([sealer.header, full]), 'object-corrupt', marked);
      await refuses(Buffer.concat([sealer.header, full, empty]), 'object-corrupt', marked);
    });

    it('refuses a short chunk at the end that is not marked as final', async () => {
      const sealer = secretstream.createSealer(KEY);
      const short = seal(sealer, new Uint8Array(10), { final: false });
      sealer.close();
      const bytes = Buffer.concat([sealer.header, short]);
      await refuses(bytes, 'object-corrupt', /ends without its final chunk/);
    });

    it('leaves its source when its consumer leaves, in both directions', async () => {
      const whole = await encrypt(sampleBytes('mixed', 1 << 20));
      for (const [stage, bytes] of [
        [cipher.encrypt, sampleBytes('mixed', 1 << 20)],
        [cipher.decrypt, whole],
      ] as const) {
        let left = false;
        const source = async function* (): AsyncGenerator<Uint8Array> {
          try {
            yield* chunked(bytes, [10_000]);
          } finally {
            left = true;
          }
        };
        let chunks = 0;
        for await (const chunk of stage(source())) {
          chunks += chunk.length > 0 ? 1 : 0;
          if (chunks === 2) break;
        }
        assert.ok(left);
      }
    });
  });
}

describe('the two implementations of secretstream', () => {
  it('read each other’s streams', async () => {
    const native = await libsodiumCipher(KEY, loadNativeSecretstream);
    const portable = await libsodiumCipher(KEY, loadPortableSecretstream);
    assert.equal(native.keyId, portable.keyId);
    for (const [writer, reader] of [
      [native, portable],
      [portable, native],
    ] as const) {
      for (const length of [0, 1, CHUNK - 1, CHUNK, 40 * CHUNK + 7, 1 << 20]) {
        const plain = sampleBytes('mixed', length);
        const read = pipe(sourceOf(plain), writer.encrypt, reader.decrypt);
        assert.ok((await collect(read, MAX)).equals(plain));
      }
    }
  });

  it('is the native one where it is installed', async () => {
    assert.equal((await loadSecretstream()).implementation, 'native');
  });

  it('leave no state behind in the memory of the portable library', async () => {
    const { libsodium } = sodium as unknown as { readonly libsodium: Allocator };
    const firstFree = (): number => {
      const address = libsodium._malloc(LARGE_BYTES);
      libsodium._free(address);
      return address;
    };
    const portable = await libsodiumCipher(KEY, loadPortableSecretstream);
    const turn = (): Promise<Buffer> =>
      collect(pipe(sourceOf(Buffer.from('small')), portable.encrypt, portable.decrypt), MAX);
    await turn();
    const before = firstFree();
    for (let i = 0; i < 100; i += 1) await turn();
    assert.equal(firstFree(), before);
  });
});

describe('noCipher', () => {
  it('passes everything through and names no key', async () => {
    const source = sourceOf(Buffer.from('plain'));
    assert.equal(noCipher.encrypt(source), source);
    assert.equal(noCipher.decrypt(source), source);
    assert.equal(noCipher.keyId, undefined);
  });
});
