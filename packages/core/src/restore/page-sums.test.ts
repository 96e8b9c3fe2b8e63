import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { crc32c, crc32cHex } from '../format/crc32c.ts';
import { PAGE_BYTES } from '../format/page.ts';
import { PageSums } from './page-sums.ts';
import { RunSums } from './run-sums.ts';

const FILE = 7;
const page = (text: string): Buffer => Buffer.alloc(PAGE_BYTES, text);
const sumOf = (...pages: readonly Uint8Array[]): string => crc32cHex(crc32c(Buffer.concat(pages)));

/** What a member that places these pages says of them. */
function runs(pages: readonly (readonly [number, Uint8Array])[]): Uint32Array {
  const sums = new RunSums();
  for (const [number, bytes] of pages) sums.add(bytes, number * PAGE_BYTES);
  return sums.done();
}

describe('the sums of runs', () => {
  it('join neighbours, in chunks of any length', () => {
    const sums = new RunSums();
    const bytes = Buffer.concat([page('a'), page('b'), page('c')]);
    sums.add(bytes.subarray(0, 5), 2 * PAGE_BYTES);
    sums.add(bytes.subarray(5, 20_000), 2 * PAGE_BYTES + 5);
    sums.add(bytes.subarray(20_000), 2 * PAGE_BYTES + 20_000);
    sums.add(page('d'), 9 * PAGE_BYTES);
    assert.deepEqual([...sums.done()], [2, 3, crc32c(bytes), 9, 1, crc32c(page('d'))]);
  });

  it('are none where a page is cut', () => {
    const sums = new RunSums();
    sums.add(page('a'), 0);
    sums.add(page('b').subarray(0, 100), 4 * PAGE_BYTES);
    assert.deepEqual([...sums.done()], []);
  });
});

describe('the sum of a file that is put together', () => {
  it('comes from its pages in whatever order they were placed', () => {
    const [a, b, c, d, e] = ['a', 'b', 'c', 'd', 'e'].map(page) as [
      Buffer,
      Buffer,
      Buffer,
      Buffer,
      Buffer,
    ];
    const sums = new PageSums();
    sums.begin(FILE, 5 * PAGE_BYTES);
    sums.add(
      FILE,
      runs([
        [3, d],
        [1, b],
      ]),
    );
    sums.add(FILE, runs([[0, a]]));
    sums.add(
      FILE,
      runs([
        [2, c],
        [4, e],
      ]),
    );
    assert.equal(sums.sumOf(FILE), undefined);
    sums.end(FILE);
    assert.deepEqual(sums.sumOf(FILE), { bytes: 5 * PAGE_BYTES, checksum: sumOf(a, b, c, d, e) });
  });

  it('is not known if a page came twice, was left open, or is beyond the end', () => {
    const cases: readonly (readonly number[])[] = [
      [0, 1, 1],
      [0, 0, 1],
      [0],
      [1],
      [0, 2],
      [0, 1, 2],
      [],
    ];
    for (const pages of cases) {
      const sums = new PageSums();
      sums.begin(FILE, 2 * PAGE_BYTES);
      for (const number of pages) sums.add(FILE, runs([[number, page('x')]]));
      sums.end(FILE);
      assert.equal(sums.sumOf(FILE), undefined, `pages ${pages.join(', ')}`);
    }
  });

  it('is not known where there was more to keep than there may be, and is for the others', () => {
    const sums = new PageSums({ maxKept: 200 });
    sums.begin(FILE, 4 * PAGE_BYTES);
    sums.begin(FILE + 1, PAGE_BYTES);
    sums.add(
      FILE,
      runs([
        [0, page('x')],
        [2, page('x')],
      ]),
    );
    sums.add(
      FILE,
      runs([
        [1, page('x')],
        [3, page('x')],
      ]),
    );
    sums.end(FILE);
    sums.add(FILE + 1, runs([[0, page('y')]]));
    sums.end(FILE + 1);
    assert.equal(sums.sumOf(FILE), undefined);
    assert.equal(sums.sumOf(FILE + 1)?.checksum, sumOf(page('y')));
  });

  it('is not known of more files than there is room for, however little each has', () => {
    const files = Array.from({ length: 1000 }, (_, number) => number);
    const sums = new PageSums({ maxKept: 10_000 });
    for (const number of files) sums.begin(number, PAGE_BYTES);
    for (const number of files) sums.add(number, runs([[0, page('x')]]));
    for (const number of files) sums.end(number);
    const known = files.filter((number) => sums.sumOf(number) !== undefined);
    assert.ok(known.length > 50 && known.length < 200, `${known.length} files`);
    for (const number of known) assert.equal(sums.sumOf(number)?.checksum, sumOf(page('x')));
  });
});
