import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HEADER_FIELDS } from './header.ts';
import { decodeNumber, encodeOctal, octalMax } from './number-field.ts';

const { size } = HEADER_FIELDS;

function fieldOf(content: string | readonly number[]): Uint8Array {
  const block = new Uint8Array(512).fill(0xee);
  block.fill(0, size.offset, size.offset + size.bytes);
  const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
  block.set(bytes, size.offset);
  return block;
}

describe('decodeNumber', () => {
  it('reads octal digits ended by a NUL, a space, both or the field', () => {
    for (const text of ['00000000017\0', '00000000017 ', '17', '17 \0', '   17 ', '000000000017']) {
      assert.equal(decodeNumber(fieldOf(text), size), 15, JSON.stringify(text));
    }
  });

  it('takes an empty field for zero', () => {
    assert.equal(decodeNumber(fieldOf(''), size), 0);
    assert.equal(decodeNumber(fieldOf('            '), size), 0);
  });

  it('reads the base-256 size that PostgreSQL writes for a file of 9,000,000,000 bytes', () => {
    const field = [0x80, 0, 0, 0, 0, 0, 0, 0x02, 0x18, 0x71, 0x1a, 0x00];
    assert.equal(decodeNumber(fieldOf(field), size), 9_000_000_000);
  });

  it('reads negative base-256 numbers', () => {
    assert.equal(decodeNumber(fieldOf(Array.from({ length: 12 }, () => 0xff)), size), -1);
  });

  it('refuses other digits, signs and text after the number', () => {
    for (const text of ['8', '-1', '0x1f', '17x', '1 7', '17\0x']) {
      assert.equal(decodeNumber(fieldOf(text), size), undefined, JSON.stringify(text));
    }
  });

  it('refuses numbers that a double cannot hold exactly', () => {
    const two63 = [0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0];
    assert.equal(decodeNumber(fieldOf(two63), size), undefined);
    assert.equal(
      decodeNumber(fieldOf([0xbf, ...Array.from({ length: 11 }, () => 0xff)]), size),
      undefined,
    );
  });
});

describe('encodeOctal', () => {
  it('writes what decodeNumber reads', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: octalMax(size) }), (value) => {
        const block = fieldOf('');
        encodeOctal(block, size, value);
        assert.equal(block[size.offset + size.bytes - 1], 0);
        assert.equal(decodeNumber(block, size), value);
      }),
    );
  });

  it('holds sizes below 8 GiB', () => {
    assert.equal(octalMax(size), 8 * 1024 ** 3 - 1);
  });
});
