import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import { type KeyTransform, libsodiumKey } from './libsodium-key.ts';

const HEX = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f';
const KEY = Buffer.from(HEX, 'hex');

function refuses(text: string, transform: KeyTransform): void {
  assert.throws(
    () => libsodiumKey(text, transform),
    (error: Error) => {
      assert.ok(isTsbkError(error, 'usage'));
      const shown = `${error.message} ${error.hint}`;
      assert.ok(text === '' || !shown.includes(text), 'the key must not show');
      return true;
    },
  );
}

describe('libsodiumKey', () => {
  it('takes 32 bytes of text as they are', () => {
    const text = 'abcdefghijklmnopqrstuvwxyz012345';
    assert.deepEqual(libsodiumKey(text, 'none'), new Uint8Array(Buffer.from(text)));
  });

  it('cuts longer text after 32 bytes, also within a character', () => {
    const text = `${'x'.repeat(31)}ä and more`;
    const key = libsodiumKey(text, 'none');
    assert.deepEqual([key.length, key[30], key[31]], [32, 0x78, 0xc3]);
  });

  it('fills shorter text up with zeros', () => {
    const key = libsodiumKey('k'.repeat(25), 'none');
    assert.equal(Buffer.from(key).toString('latin1'), 'k'.repeat(25) + '\0'.repeat(7));
  });

  it('does not trim', () => {
    assert.equal(libsodiumKey(` ${'k'.repeat(31)}`, 'none')[0], 0x20);
    refuses(`${HEX}\n`, 'hex');
    refuses(` ${KEY.toString('base64')}`, 'base64');
  });

  it('refuses text below 25 bytes', () => {
    refuses('k'.repeat(24), 'none');
    refuses('', 'none');
  });

  it('counts bytes, not characters', () => {
    assert.equal(libsodiumKey('ä'.repeat(13), 'none').length, 32);
    refuses('ä'.repeat(12), 'none');
  });

  it('decodes hexadecimal digits of either case', () => {
    assert.deepEqual(libsodiumKey(HEX, 'hex'), new Uint8Array(KEY));
    assert.deepEqual(libsodiumKey(HEX.toUpperCase(), 'hex'), new Uint8Array(KEY));
  });

  it('refuses hexadecimal text of another length or with other characters', () => {
    refuses(HEX.slice(2), 'hex');
    refuses(`${HEX}00`, 'hex');
    refuses(`0x${HEX.slice(2)}`, 'hex');
    refuses(`${HEX.slice(1)}g`, 'hex');
    refuses('', 'hex');
  });

  it('decodes base64, and skips line ends in it as WAL-G does', () => {
    const text = KEY.toString('base64');
    assert.deepEqual(libsodiumKey(text, 'base64'), new Uint8Array(KEY));
    const folded = `${text.slice(0, 20)}\r\n${text.slice(20)}\n`;
    assert.deepEqual(libsodiumKey(folded, 'base64'), new Uint8Array(KEY));
  });

  it('refuses base64 without padding, of the URL alphabet or of another length', () => {
    refuses(KEY.toString('base64').slice(0, -1), 'base64');
    refuses(Buffer.alloc(32, 0xff).toString('base64url'), 'base64');
    refuses(`${Buffer.alloc(32, 0xff).toString('base64').replaceAll('/', '_')}`, 'base64');
    refuses(KEY.subarray(1).toString('base64'), 'base64');
    refuses(Buffer.alloc(33).toString('base64'), 'base64');
  });
});
