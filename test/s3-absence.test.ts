/** What it takes to believe S3 that an object does not exist. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { noise, refuses, signal } from './contracts/blob-store/helpers.ts';
import { onModel } from './support/s3-on-model.ts';

const PLACES = ['', '.lz4', '.zst', '.br', '.lzma', '.gz'].map((end) => `wal_005/S${end}`);

describe('S3 that says of an object that it is not there', () => {
  it('is asked once or twice for a listing by all who look for one name at the same time', async () => {
    await using at = await onModel();
    await at.store.put('wal_005/S.lz4', noise(10), { signal });
    const before = at.model.requests.length;
    const found = await Promise.all(PLACES.map((key) => at.store.stat(key, { signal })));
    assert.deepEqual(
      found.map((info) => info?.key),
      [undefined, 'wal_005/S.lz4', undefined, undefined, undefined, undefined],
    );
    const asked = at.model.requests.slice(before).map(({ operation }) => operation);
    assert.equal(asked.filter((operation) => operation === 'HeadObject').length, PLACES.length);
    const listings = asked.filter((operation) => operation === 'ListObjectsV2').length;
    assert.ok(listings >= 1 && listings < PLACES.length - 1, `${listings} listings`);
  });

  it('is believed of none when it lists one of them', async () => {
    await using at = await onModel();
    await at.store.put('wal_005/S.zst', noise(10), { signal });
    const fault = { kind: 'status', status: 404, code: 'NoSuchKey' } as const;
    at.model.addRule({ operation: 'HeadObject', key: /\.zst$/, fault });
    const looks = await Promise.allSettled(PLACES.map((key) => at.store.stat(key, { signal })));
    const refused = PLACES.filter((_, index) => looks[index]?.status === 'rejected');
    assert.deepEqual(refused, ['wal_005/S.zst']);
  });

  it('is not believed where the listing fails, by any of those who share it', async () => {
    await using at = await onModel();
    const fault = { kind: 'status', status: 403, code: 'AccessDenied' } as const;
    at.model.addRule({ operation: 'ListObjectsV2', times: 10, fault });
    await Promise.all(
      PLACES.map((key) => refuses('store-denied', () => at.store.stat(key, { signal }))),
    );
  });

  it('is asked for the one name alone where many begin with it', async () => {
    await using at = await onModel();
    const many = Array.from({ length: 30 }, (_, n) => `wal_005/S.${n}`);
    for (const key of many) await at.store.put(key, noise(1), { signal });
    const looks = await Promise.all(PLACES.map((key) => at.store.stat(key, { signal })));
    assert.deepEqual(
      looks,
      PLACES.map(() => undefined),
    );
  });

  it('is heard by one whose neighbour stopped asking', async () => {
    await using at = await onModel();
    at.model.addRule({ operation: 'ListObjectsV2', times: 1, fault: { kind: 'hang' } });
    const stop = new AbortController();
    const stopped = at.store.stat('wal_005/S.br', { signal: stop.signal });
    stopped.catch(() => undefined);
    while (!at.model.requests.some(({ operation }) => operation === 'ListObjectsV2')) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    const other = at.store.stat('wal_005/S.gz', { signal });
    stop.abort(new Error('enough'));
    assert.equal(await other, undefined);
    await assert.rejects(stopped, /enough/);
  });
});
