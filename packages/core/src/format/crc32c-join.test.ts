import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { crc32c } from './crc32c.ts';
import { joinCrc32c } from './crc32c-join.ts';

describe('joinCrc32c', () => {
  it('gives the CRC of pieces of any length, put one after the other', () => {
    const bytes = randomBytes(100_000);
    for (const cut of [0, 1, 7, 8192, 65_536, 99_999, 100_000]) {
      const first = crc32c(bytes.subarray(0, cut));
      const second = crc32c(bytes.subarray(cut));
      assert.equal(joinCrc32c(first, second, bytes.length - cut), crc32c(bytes), `cut at ${cut}`);
    }
  });

  it('is the same whatever was joined before', () => {
    const pages = Array.from({ length: 9 }, () => randomBytes(8192));
    const whole = crc32c(Buffer.concat(pages));
    const joined = pages.reduce((sum, page) => joinCrc32c(sum, crc32c(page), page.length), 0);
    assert.equal(joined, whole);
    const half = crc32c(Buffer.concat(pages.slice(0, 4)));
    const rest = crc32c(Buffer.concat(pages.slice(4)));
    assert.equal(joinCrc32c(half, rest, 5 * 8192), whole);
  });

  it('joins pieces longer than four GiB', () => {
    // A CRC of zeros, doubled until there are 8 GiB of them, against the same in other steps.
    const zeros = (gib: number): number => {
      let sum = crc32c(new Uint8Array(1024 * 1024));
      for (let bytes = 1024 * 1024; bytes < gib * 1024 ** 3; bytes *= 2)
        sum = joinCrc32c(sum, sum, bytes);
      return sum;
    };
    const byHalves = joinCrc32c(zeros(8), zeros(8), 8 * 1024 ** 3);
    assert.equal(
      joinCrc32c(joinCrc32c(zeros(4), zeros(8), 8 * 1024 ** 3), zeros(4), 4 * 1024 ** 3),
      byHalves,
    );
  });
});
