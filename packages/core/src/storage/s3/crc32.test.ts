import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compositeCrc32, crc32Of } from './crc32.ts';

describe('a CRC-32 as S3 writes it', () => {
  it('is the four bytes of the check value, big end first', () => {
    // 0xCBF43926 is the check value of CRC-32 for these nine digits.
    assert.equal(
      crc32Of(Buffer.from('123456789')),
      Buffer.from('cbf43926', 'hex').toString('base64'),
    );
    assert.equal(crc32Of(Buffer.alloc(0)), 'AAAAAA==');
  });

  it('of parts is that of their checksums in a row, and their number', () => {
    // Taken from a server that computes it itself: 5 MiB of 0x01, then "tail".
    const parts = [crc32Of(Buffer.alloc(5 * 1024 * 1024, 1)), crc32Of(Buffer.from('tail'))];
    assert.equal(compositeCrc32(parts), '14IOnA==-2');
  });
});
