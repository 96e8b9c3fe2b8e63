/** The OpenPGP cipher against real gpg, in both directions and with the keys gpg makes. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { openpgpCipher } from '@tsbk/core/cipher/openpgp/cipher';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import type { Cipher } from '@tsbk/core/ports/cipher';
import { collect } from '@tsbk/core/stream/collect';
import { sampleBytes } from '@tsbk/core/stream/sample-bytes';
import { sourceOf } from '@tsbk/core/stream/source';
import { type GpgHome, gpgIsMissing, openGpgHome } from './support/gpg.ts';

const MAX = { maxBytes: 64 << 20, what: 'the test' };
/** A reader that took it for text would change its line ends. */
const LINES = Buffer.from('one\r\ntwo\nthree\r');

for (const algorithm of ['rsa2048', 'future-default']) {
  describe(`OpenPGP and gpg, a key of the kind ${algorithm}`, { skip: gpgIsMissing }, () => {
    let home: GpgHome;
    let cipher: Cipher;

    before(async () => {
      home = await openGpgHome(algorithm);
      cipher = await openpgpCipher({ armored: home.privateKey, passphrase: home.passphrase });
    });
    after(() => home[Symbol.asyncDispose]());

    const encryptByGpg = async (plain: Uint8Array, ...args: readonly string[]) => {
      writeFileSync(home.path('plain'), plain);
      return home.gpg(
        ...args,
        '--output',
        '-',
        '--recipient',
        home.user,
        '--encrypt',
        home.path('plain'),
      );
    };
    const read = (bytes: Uint8Array): Promise<Buffer> =>
      collect(cipher.decrypt(sourceOf(bytes)), MAX);

    it('gpg reads what tsbk writes with the public key', async () => {
      const writer = await openpgpCipher({ armored: home.publicKey });
      for (const plain of [LINES, Buffer.alloc(0), sampleBytes('mixed', 3 << 20)]) {
        writeFileSync(home.path('sealed'), await collect(writer.encrypt(sourceOf(plain)), MAX));
        await home.gpg('--output', home.path('opened'), '--decrypt', home.path('sealed'));
        assert.ok(readFileSync(home.path('opened')).equals(plain));
      }
    });

    it('tsbk reads what gpg writes', async () => {
      for (const plain of [LINES, Buffer.alloc(0), sampleBytes('mixed', 3 << 20)]) {
        for (const args of [
          ['--cipher-algo', 'AES'],
          ['--cipher-algo', 'AES256'],
          ['--throw-keyids'],
        ]) {
          const bytes = await encryptByGpg(plain, '--compress-algo', 'none', ...args);
          assert.ok((await read(bytes)).equals(plain), args.join(' '));
        }
      }
    });

    it('tsbk refuses clearly what no WAL-G writes', async () => {
      for (const [args, problem] of [
        [['--compress-algo', 'zlib'], /compression by OpenPGP/],
        [['--compress-algo', 'none', '--cipher-algo', '3DES'], /tripledes/],
      ] as const) {
        await assert.rejects(read(await encryptByGpg(LINES, ...args)), (error: Error) => {
          assert.ok(isTsbkError(error, 'object-corrupt'), String(error));
          assert.match(error.message, problem);
          return true;
        });
      }
    });
  });
}
