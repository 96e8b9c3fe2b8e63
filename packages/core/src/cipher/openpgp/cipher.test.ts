import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import * as openpgp from 'openpgp';
import type { ErrorCode } from '../../kernel/error-codes.ts';
import { isTsbkError } from '../../kernel/errors.ts';
import type { Cipher } from '../../ports/cipher.ts';
import { chunked } from '../../stream/chunked.ts';
import { collect } from '../../stream/collect.ts';
import { lent } from '../../stream/release.ts';
import { sampleBytes } from '../../stream/sample-bytes.ts';
import { pipe, sourceOf } from '../../stream/source.ts';
import { openpgpCipher } from './cipher.ts';

const MAX = { maxBytes: 64 << 20, what: 'the test' };
const PASSPHRASE = 'a passphrase for tests';
const PIECE = 1 << 17;

interface ArmoredPair {
  readonly publicKey: string;
  readonly privateKey: string;
}

let own: ArmoredPair;
let other: ArmoredPair;
let cipher: Cipher;

const newKey = (passphrase = ''): Promise<ArmoredPair> =>
  openpgp.generateKey({ userIDs: [{ name: 'test' }], passphrase, format: 'armored' });

const encrypt = (plain: Uint8Array, by = cipher): Promise<Buffer> =>
  collect(by.encrypt(sourceOf(plain)), MAX);
const decrypt = (bytes: Uint8Array, by = cipher): Promise<Buffer> =>
  collect(by.decrypt(sourceOf(bytes)), MAX);

async function refuses(work: Promise<unknown>, code: ErrorCode, problem = /./): Promise<void> {
  await assert.rejects(work, (error: Error) => {
    assert.ok(isTsbkError(error, code), String(error));
    assert.match(error.message, problem);
    return true;
  });
}

describe('openpgpCipher', () => {
  before(async () => {
    [own, other] = await Promise.all([newKey(PASSPHRASE), newKey()]);
    cipher = await openpgpCipher({ armored: own.privateKey, passphrase: PASSPHRASE });
  });

  it('reads back what it wrote, whatever its length and however it was cut', async () => {
    for (const length of [0, 1, 100, 185, 186, 8300, PIECE - 6, PIECE, 3 * PIECE, 1_000_000]) {
      const plain = sampleBytes('mixed', length);
      const bytes = await collect(cipher.encrypt(chunked(plain, [10_000, 3])), MAX);
      for (const cuts of [[bytes.length], [1, 70_000], [17, 23, 5000]]) {
        const read = await collect(pipe(chunked(bytes, cuts), cipher.decrypt), MAX);
        assert.ok(read.equals(plain), `${length} bytes`);
      }
    }
  });

  it('is done with a chunk when it asks for the next one', async () => {
    const plain = sampleBytes('mixed', 500_000);
    const bytes = await encrypt(plain);
    for (const cuts of [
      [1, 70_000],
      [17, 23, 5000],
    ]) {
      const read = await collect(pipe(chunked(bytes, cuts), lent, cipher.decrypt), MAX);
      assert.ok(read.equals(plain));
    }
  });

  it('writes what the library reads, and reads what the library writes', async () => {
    const plain = sampleBytes('mixed', 2 * PIECE + 100);
    const encryptionKeys = await openpgp.readKey({ armoredKey: own.publicKey });
    const decryptionKeys = await openpgp.decryptKey({
      privateKey: await openpgp.readPrivateKey({ armoredKey: own.privateKey }),
      passphrase: PASSPHRASE,
    });
    const message = await openpgp.readMessage({ binaryMessage: await encrypt(plain) });
    const { data } = await openpgp.decrypt({ message, decryptionKeys, format: 'binary' });
    assert.ok(Buffer.from(data as Uint8Array).equals(plain));
    const theirs = await openpgp.encrypt({
      message: await openpgp.createMessage({ binary: plain }),
      encryptionKeys,
      format: 'binary',
    });
    assert.ok((await decrypt(theirs as Uint8Array)).equals(plain));
  });

  it('writes with the public key alone, and says what is missing for reading', async () => {
    const writer = await openpgpCipher({ armored: own.publicKey });
    assert.ok(isTsbkError(writer.unreadable, 'key-missing'));
    const bytes = await encrypt(Buffer.from('kept'), writer);
    await refuses(decrypt(bytes, writer), 'key-missing', /only the public OpenPGP key/);
    assert.equal((await decrypt(bytes)).toString(), 'kept');
    assert.equal(writer.keyId, cipher.keyId);
  });

  it('writes for every key of a ring', async () => {
    const packets = await Promise.all(
      [own, other].map(async ({ publicKey }) => (await openpgp.unarmor(publicKey)).data),
    );
    const ring = Buffer.concat(packets as Uint8Array[]);
    const armored = openpgp.armor(openpgp.enums.armor.publicKey, ring);
    const bytes = await encrypt(Buffer.from('for both'), await openpgpCipher({ armored }));
    const second = await openpgpCipher({ armored: other.privateKey });
    assert.equal((await decrypt(bytes)).toString(), 'for both');
    assert.equal((await decrypt(bytes, second)).toString(), 'for both');
  });

  it('needs the passphrase of a locked key for reading only', async () => {
    const locked = await openpgpCipher({ armored: own.privateKey });
    const bytes = await encrypt(Buffer.from('kept'), locked);
    await refuses(decrypt(bytes, locked), 'key-missing', /no passphrase/);
    const wrong = await openpgpCipher({ armored: own.privateKey, passphrase: 'no' });
    await refuses(decrypt(bytes, wrong), 'wrong-key', /does not unlock/);
  });

  it('refuses what is for another key and what is not encrypted', async () => {
    const bytes = await encrypt(
      Buffer.from('theirs'),
      await openpgpCipher({ armored: other.publicKey }),
    );
    await refuses(decrypt(bytes), 'wrong-key', /does not open/);
    await refuses(decrypt(Buffer.from('plain text')), 'wrong-key', /not encrypted by OpenPGP/);
    await refuses(decrypt(Buffer.from('04224d18', 'hex')), 'wrong-key', /not encrypted/);
    await refuses(decrypt(Buffer.alloc(0)), 'object-corrupt', /cut off/);
  });

  it('refuses text that is no key, without showing it', async () => {
    const secret = '-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nc2VjcmV0\n-----END';
    await assert.rejects(openpgpCipher({ armored: secret }), (error: Error) => {
      assert.ok(isTsbkError(error, 'usage'));
      assert.ok(!`${error.message}${error.hint}`.includes('c2VjcmV0'));
      return true;
    });
  });

  it('refuses a flip of any bit of the content', async () => {
    const plain = sampleBytes('mixed', PIECE + 5000);
    const whole = await encrypt(plain);
    for (let i = 0; i < 300; i += 1) {
      const bit = i < 100 ? i * 13 : (i * 2654435761) % (whole.length * 8);
      const bytes = Buffer.from(whole);
      bytes[bit >>> 3] = (bytes[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
      // Of the key packets not every bit counts; what comes out is proven either way.
      const outcome = await decrypt(bytes).catch((error: unknown) => error);
      const refused = isTsbkError(outcome, 'object-corrupt') || isTsbkError(outcome, 'wrong-key');
      const harmless = bit < 200 * 8 && Buffer.isBuffer(outcome) && outcome.equals(plain);
      assert.ok(refused || harmless, `bit ${bit}: ${String(outcome).slice(0, 200)}`);
    }
  });

  it('refuses data that is cut off or has something after it', async () => {
    const small = await encrypt(Buffer.from('a small object'));
    for (let length = 0; length < small.length; length += 1) {
      await assert.rejects(decrypt(small.subarray(0, length)), (error: Error) =>
        isTsbkError(error),
      );
    }
    const whole = await encrypt(sampleBytes('mixed', 3 * PIECE));
    for (const length of [PIECE, 2 * PIECE, whole.length - 22, whole.length - 1]) {
      await refuses(decrypt(whole.subarray(0, length)), 'object-corrupt');
    }
    await refuses(decrypt(Buffer.concat([whole, small])), 'object-corrupt', /follows its end/);
  });

  it('leaves its source when its consumer leaves, in both directions', async () => {
    const plain = sampleBytes('mixed', 1 << 20);
    for (const [stage, bytes] of [
      [cipher.encrypt, plain],
      [cipher.decrypt, await encrypt(plain)],
    ] as const) {
      let left = false;
      const source = async function* (): AsyncGenerator<Uint8Array> {
        try {
          yield* chunked(bytes, [10_000]);
        } finally {
          left = true;
        }
      };
      let seen = 0;
      for await (const chunk of stage(source())) {
        seen += chunk.length;
        if (seen > 200_000) break;
      }
      assert.ok(seen < plain.length);
      assert.ok(left);
    }
  });
});
