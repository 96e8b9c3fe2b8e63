import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { instantFromMs } from '../../kernel/instant.ts';
import type { Lsn } from '../../kernel/lsn.ts';
import { segmentStart } from '../../kernel/wal-file.ts';
import type { ByteSource } from '../../ports/bytes.ts';
import { FakeWal } from './fake-wal.ts';
import { walRecords, type WalRecordsOptions } from './records.ts';
import type { WalEnd, WalRecord } from './wal-record.ts';

const NOON = instantFromMs(Date.UTC(2026, 10, 22, 12));

async function* chunked(bytes: Uint8Array, size: number): ByteSource {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function walk(
  bytes: Uint8Array,
  options: Partial<WalRecordsOptions> & { readonly chunkBytes?: number } = {},
): Promise<{ readonly records: WalRecord[]; readonly end: WalEnd }> {
  const records: WalRecord[] = [];
  const { chunkBytes = 65_536, ...rest } = options;
  const defaults = { start: segmentStart(1n, 1024 * 1024), segmentBytes: 1024 * 1024 };
  const source = chunked(bytes, chunkBytes);
  for await (const item of walRecords(source, { ...defaults, others: true, ...rest })) {
    if (item.kind === 'end') return { records, end: item };
    records.push(item);
  }
  throw new Error('the walk has no end');
}

/** WAL of a few segments with records of these sizes. */
function filled(sizes: readonly number[]): { readonly wal: FakeWal; readonly lsns: Lsn[] } {
  const wal = new FakeWal();
  const lsns = sizes.map((bytes) => wal.filler(bytes));
  return { wal, lsns };
}

const SIZES = fc.array(
  fc.oneof(
    fc.integer({ min: 0, max: 300 }),
    fc.integer({ min: 8000, max: 20_000 }),
    fc.integer({ min: 500_000, max: 1_200_000 }),
  ),
  { minLength: 1, maxLength: 8 },
);

describe('walRecords', () => {
  it('finds every record wherever pages, segments and chunks end', async () => {
    await fc.assert(
      fc.asyncProperty(SIZES, fc.integer({ min: 1, max: 100_000 }), async (sizes, chunkBytes) => {
        const { wal, lsns } = filled(sizes);
        const { records, end } = await walk(wal.bytes(), { chunkBytes: chunkBytes + 100 });
        assert.deepEqual(
          records.map(({ lsn }) => lsn),
          lsns,
        );
        assert.equal(end.reason === 'invalid', false);
      }),
      { numRuns: 40 },
    );
  });

  it('begins with the first record that begins in the source', async () => {
    const { wal } = filled([600_000, 900_000, 100]);
    const after = wal.commit(700, NOON);
    const bytes = wal.bytes().subarray(wal.segmentBytes);
    const start = segmentStart(2n, wal.segmentBytes);
    const { records } = await walk(bytes, { start, others: false });
    assert.deepEqual(
      records.map(({ lsn }) => lsn),
      [after],
    );
  });

  it('begins at the record it is told', async () => {
    const { wal, lsns } = filled([100, 9000, 100, 100]);
    const [, , from] = lsns;
    assert.ok(from !== undefined);
    const { records } = await walk(wal.bytes(), { from });
    assert.deepEqual(
      records.map(({ lsn }) => lsn),
      lsns.slice(2),
    );
  });

  it('reads what the ends of transactions and restore points say', async () => {
    const wal = new FakeWal();
    wal.filler(10);
    wal.commit(731, NOON);
    wal.abort(732, instantFromMs(Date.UTC(1999, 0, 1)));
    wal.restorePoint('před výměnou', NOON);
    const { records } = await walk(wal.bytes(), { others: false });
    assert.deepEqual(
      records.map((record) => ({ ...record, lsn: 0n, endLsn: 0n })),
      [
        { kind: 'commit', xid: 731, time: NOON },
        { kind: 'abort', xid: 732, time: instantFromMs(Date.UTC(1999, 0, 1)) },
        { kind: 'restore-point', name: 'před výměnou', time: NOON },
      ].map((record) => ({ ...record, lsn: 0n, endLsn: 0n })),
    );
  });

  it('names the prepared transaction, not the one that ended it', async () => {
    for (const [magic, statsBytes] of [
      [0xd116, 12],
      [0xd118, 16],
    ] as const) {
      const wal = new FakeWal({ magic });
      const data = Buffer.alloc(8 + 4 + 8 + (4 + 8) + (4 + 12) + (4 + statsBytes) + (4 + 16) + 4);
      data.writeUInt32LE(0b1_0001_1111, 8);
      let at = 20;
      for (const [count, bytes] of [
        [2, 4],
        [1, 12],
        [1, statsBytes],
        [1, 16],
      ] as const) {
        data.writeUInt32LE(count, at);
        at += 4 + count * bytes;
      }
      data.writeUInt32LE(4711, at);
      wal.record({ manager: 1, info: 0x80 | 0x30, xid: 0, data });
      const { records } = await walk(wal.bytes());
      assert.equal(records[0]?.kind === 'commit' && records[0].xid, 4711);
    }
  });

  it('goes on in the next segment after a switch', async () => {
    const wal = new FakeWal();
    wal.filler(100);
    wal.switch();
    const commit = wal.commit(800, NOON);
    const { records } = await walk(wal.bytes(), { others: false });
    assert.deepEqual(
      records.map(({ kind, lsn }) => [kind, lsn]),
      [
        ['switch', records[0]?.lsn],
        ['commit', commit],
      ],
    );
    assert.equal(records[0]?.endLsn, segmentStart(2n, wal.segmentBytes));
  });

  it('leaves out a record that a crash cut off', async () => {
    const wal = new FakeWal();
    const before = wal.filler(100);
    wal.crashInside(30_000);
    const after = wal.commit(900, NOON);
    const { records, end } = await walk(wal.bytes());
    assert.deepEqual(
      records.map(({ lsn }) => lsn),
      [before, after],
    );
    assert.equal(end.reason, 'empty');
  });

  it('ends where nothing was written', async () => {
    const { wal, lsns } = filled([100]);
    const { records, end } = await walk(wal.bytes());
    assert.equal(records.length, lsns.length);
    assert.deepEqual([end.reason, end.lsn], ['empty', wal.lsn]);
  });

  it('ends where the bytes end, before the record they cut', async () => {
    const { wal, lsns } = filled([100, 50_000]);
    const { records, end } = await walk(wal.bytes().subarray(0, 16_384));
    assert.equal(records.length, 1);
    assert.deepEqual([end.reason, end.lsn], ['source', lsns[1]]);
  });

  it('ends without a record when there is less than a page', async () => {
    const { wal } = filled([100]);
    for (const bytes of [0, 10, 4000]) {
      const { records, end } = await walk(wal.bytes().subarray(0, bytes));
      assert.deepEqual([records, end.reason], [[], 'source']);
    }
  });

  it('ends at a page of an earlier use of the segment', async () => {
    const { wal } = filled([100]);
    wal.filler(7900);
    const old = filled([100, 20_000, 100]).wal.bytes();
    const bytes = wal.bytes();
    // The second page is another one's first: an address from long before.
    bytes.set(old.subarray(0, 8192), 8192 * 2);
    const { end } = await walk(bytes);
    assert.equal(end.reason, 'empty');
    wal.filler(9000);
    const torn = wal.bytes();
    torn.set(old.subarray(0, 8192), 8192);
    assert.equal((await walk(torn)).end.reason, 'invalid');
  });

  it('never takes a damaged record, and nothing after it', async () => {
    const wal = new FakeWal();
    for (let n = 0; n < 200; n += 1) {
      wal.commit(1000 + n, instantFromMs(n));
      wal.filler(n * 7);
    }
    const whole = wal.bytes().subarray(0, 200_000);
    const { records: all } = await walk(whole);
    await fc.assert(
      fc.asyncProperty(fc.nat(199_999), fc.integer({ min: 0, max: 7 }), async (at, bit) => {
        const damaged = Uint8Array.from(whole);
        damaged[at] = (damaged[at] ?? 0) ^ (1 << bit);
        const { records } = await walk(damaged);
        assert.deepEqual(records, all.slice(0, records.length));
      }),
      { numRuns: 200 },
    );
  });
});
