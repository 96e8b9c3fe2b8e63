import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hasSegments, ListingBuilder, rangeOf } from './wal-listing.ts';

function listed(...objects: readonly string[]) {
  const builder = new ListingBuilder(16 * 1024 * 1024, ['lz4', 'zst', '']);
  for (const object of objects) builder.add(object);
  return builder.done();
}

describe('a listing of the archive', () => {
  it('counts a segment under each name that WAL-G gave it', () => {
    const listing = listed(
      '000000010000000000000005.lz4',
      '000000010000000000000006',
      '000000010000000000000007.',
      '000000010000000000000007.zst',
      '000000010000000000000008.zst',
    );
    assert.deepEqual(listing.segments.get(1), [{ first: 5n, last: 8n }]);
  });

  it('goes on over the border of the last eight digits', () => {
    const listing = listed('0000000100000000000000FF.lz4', '000000010000000100000000.lz4');
    assert.deepEqual(listing.segments.get(1), [{ first: 255n, last: 256n }]);
  });

  it('does not take other objects for segments', () => {
    const listing = listed(
      '00000002.history.lz4',
      '000000010000000000000005.00000028.backup.lz4',
      '000000010000000000000005.json',
      '000000010000000000000005.lz4.tmp',
      '000000010000000000000005.lzo',
      '000000010000000000000005.none.sha256',
      '000000010000000000000005.partial.lz4',
      '000000010000000000000010_delta.lz4',
      '00000001000000000000000.json',
      '00000001000000000000000f.lz4',
      // No such name with segments of 16 MiB.
      '000000010000000000000100.lz4',
    );
    assert.equal(listing.segments.size, 0);
    assert.deepEqual([...listing.histories], [2]);
    assert.deepEqual([...listing.partials], ['000000010000000000000005']);
  });

  it('keeps timelines and ranges apart', () => {
    const listing = listed(
      '000000010000000000000005.lz4',
      '000000010000000000000007.lz4',
      '000000020000000000000006.lz4',
    );
    assert.deepEqual(rangeOf(listing, 1, 7n), { first: 7n, last: 7n });
    assert.equal(rangeOf(listing, 1, 6n), undefined);
    assert.equal(hasSegments(listing, 1, { from: 6n, to: undefined }), true);
    assert.equal(hasSegments(listing, 1, { from: 6n, to: 6n }), false);
    assert.equal(hasSegments(listing, 3, { from: 0n, to: undefined }), false);
  });
});
