/** What `wal-show` says can be restored, and what `wal-verify` makes of copies, from WAL made by hand. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { FakeWal } from '@tsbk/core/format/wal/fake-wal';
import { formatPostgresTime, instantFromMs, type Instant } from '@tsbk/core/kernel/instant';
import { toSystemId } from '@tsbk/core/kernel/system-id';
import { parseSegment } from '@tsbk/core/kernel/wal-file';
import type { WalCopies } from '@tsbk/core/ports/wal-copies';
import { sourceOf } from '@tsbk/core/stream/source';
import { checkContent } from '@tsbk/core/wal-audit/check-content';
import { coverOf, type Cover } from '@tsbk/core/wal-audit/coverage';
import { dateIntervals } from '@tsbk/core/wal-audit/date-intervals';
import { healGaps, type HealedSegment } from '@tsbk/core/wal-audit/heal';
import { planIntervals } from '@tsbk/core/wal-audit/intervals';
import { readArchive, type ArchiveState } from '@tsbk/core/wal-audit/read-archive';
import { FAKE_SYSTEM_ID, fakeRepository, type FakeRepository } from './support/fake-repository.ts';

const { signal } = new AbortController();
const report = (): void => {};
const SEGMENT_BYTES = 1024 * 1024;
const SYSTEM_ID = toSystemId(FAKE_SYSTEM_ID);
const minute = (n: number): Instant => instantFromMs(Date.UTC(2026, 10, 22, 10, n));

let scratch: string;
let repository: FakeRepository;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'tsbk-restorable-'));
  repository = fakeRepository(join(scratch, 'repository'));
});

afterEach(() => rmSync(scratch, { recursive: true }));

async function read(): Promise<ArchiveState> {
  return await readArchive(
    await repository.open(),
    { assumedSegmentBytes: 16 * SEGMENT_BYTES },
    { signal },
  );
}

/** In short: `timeline from…to backups, gap`. */
async function restorable(): Promise<string[]> {
  const state = await read();
  const { intervals, useless } = planIntervals(state);
  const dated = await dateIntervals(await repository.open(), intervals, { signal, report });
  return [
    ...dated.map(({ way, fromTime, end, backups, hole }) => {
      const to = end.time === undefined ? '?' : clock(end.time);
      const gap = hole === undefined ? '' : `, gap ${hole.timeline}/${hole.first}-${hole.last}`;
      return `${way.timeline}: ${clock(fromTime)} to ${to}, ${backups.length} backups${gap}`;
    }),
    ...useless.map(({ missing }) => {
      return `useless: ${missing.map(({ first, last }) => `${first}-${last}`).join(' ')}`;
    }),
  ];
}

function clock(time: Instant): string {
  return formatPostgresTime(time).slice(11, 16);
}

/** One commit and 300 kB in each segment; a backup in those that are named. */
function history(segments: number, backups: readonly number[], wal = new FakeWal()): FakeWal {
  for (let n = 1; n <= segments; n += 1) {
    const startLsn = wal.commit(700 + n, minute(n));
    wal.filler(300_000);
    if (backups.includes(n)) {
      const stopLsn = wal.filler(20);
      repository.backup({ startLsn, stopLsn, startTime: minute(n), finishTime: minute(n) });
    }
    wal.switch();
  }
  return wal;
}

const without =
  (...numbers: readonly bigint[]) =>
  (name: string): boolean => {
    const number = parseSegment(name, SEGMENT_BYTES)?.number;
    return number === undefined || !numbers.includes(number);
  };

describe('what can be restored', () => {
  it('is one stretch from the first backup to the last transaction', async () => {
    repository.archive(history(6, [1, 3]));
    assert.deepEqual(await restorable(), ['1: 10:01 to 10:06, 2 backups']);
  });

  it('ends at a gap, and begins again with the next backup', async () => {
    repository.archive(history(8, [1, 5]), without(3n, 4n));
    assert.deepEqual(await restorable(), [
      '1: 10:01 to 10:02, 1 backups, gap 1/3-4',
      '1: 10:05 to 10:08, 1 backups',
    ]);
  });

  it('is nothing where a backup lacks its own WAL', async () => {
    repository.archive(history(4, [2]), without(2n));
    assert.deepEqual(await restorable(), ['useless: 2-2']);
  });

  it('follows a switch of timelines, and does not tell the old one twice', async () => {
    const wal = history(3, [1]);
    const switchLsn = wal.commit(800, minute(10));
    const child = wal.fork(2);
    child.commit(900, minute(20));
    repository.archive(child);
    repository.put('wal_005/00000002.history', `1\t${text(switchLsn + 100n)}\tpromoted\n`);
    assert.deepEqual(await restorable(), ['2: 10:01 to 10:20, 1 backups']);
  });

  it('tells both branches where the old timeline went on', async () => {
    const wal = history(3, [1]);
    const switchLsn = wal.commit(800, minute(10));
    const child = wal.fork(2);
    child.commit(900, minute(20));
    repository.archive(child);
    repository.put('wal_005/00000002.history', `1\t${text(switchLsn + 100n)}\tpromoted\n`);
    wal.commit(801, minute(40));
    repository.archive(wal);
    assert.deepEqual(await restorable(), [
      '1: 10:01 to 10:40, 1 backups',
      '2: 10:01 to 10:20, 1 backups',
    ]);
  });

  it('has no time where the last segment is damaged', async () => {
    const wal = history(3, [1]);
    repository.archive(wal);
    repository.put('wal_005/000000010000000000000004', 'damaged');
    assert.deepEqual(await restorable(), ['1: 10:01 to ?, 1 backups']);
  });
});

function text(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16)}/${(lsn & 0xffff_ffffn).toString(16)}`.toUpperCase();
}

describe('the check of contents', () => {
  async function corrupt(last: bigint): Promise<string[]> {
    const { listing } = await read();
    const { corrupt: found } = await checkContent(
      await repository.open(),
      {
        covers: coverOf(listing, 1, { first: 1n, last }),
        segmentBytes: SEGMENT_BYTES,
        systemId: SYSTEM_ID,
      },
      { signal, report },
    );
    return found.map(({ segment, problem }) => `${segment.number}: ${problem}`);
  }

  it('finds nothing in sound WAL, across spans and records that go on in the next segment', async () => {
    const wal = new FakeWal();
    for (let n = 0; n < 240; n += 1) wal.filler(150_000);
    wal.switch();
    repository.archive(wal);
    assert.deepEqual(await corrupt(40n), []);
  });

  it('names each damaged segment, and those alone', async () => {
    const wal = history(40, []);
    repository.archive(wal);
    for (const [name, bytes] of wal.segments()) {
      const number = parseSegment(name, SEGMENT_BYTES)?.number;
      if (number !== 7n && number !== 16n && number !== 33n) continue;
      const damaged = Buffer.from(bytes);
      damaged[100_000] = (damaged[100_000] ?? 0) ^ 1;
      repository.put(`wal_005/${name}`, damaged);
    }
    const found = await corrupt(40n);
    assert.deepEqual(
      found.map((line) => line.split(':')[0]),
      ['7', '16', '33'],
    );
    assert.match(found.join(), /wrong checksum/);
  });

  it('finds a segment of the same place that does not continue the one before', async () => {
    repository.archive(history(3, []));
    const other = new FakeWal();
    for (let n = 0; n < 20; n += 1) other.filler(177_777);
    const name = '000000010000000000000002';
    repository.put(`wal_005/${name}`, other.segments().get(name) ?? '');
    assert.equal((await corrupt(3n)).length > 0, true);
  });

  it('finds that the second half of the archive does not continue the first', async () => {
    // Spans are of sixteen segments: the break is between two of them.
    const of = (bytes: number): FakeWal => {
      const wal = new FakeWal();
      while (wal.lsn < 21n * BigInt(SEGMENT_BYTES) - 400_000n) wal.filler(bytes);
      wal.switch();
      return wal;
    };
    repository.archive(of(150_000), (name) => name <= '000000010000000000000010');
    repository.archive(of(140_000), (name) => name > '000000010000000000000010');
    const found = await corrupt(20n);
    assert.equal(found.length, 1);
    assert.match(found.join(), /^16: a record is not continued/);
  });

  it('finds a segment of another cluster', async () => {
    const wal = history(2, []);
    repository.archive(wal);
    const name = '000000010000000000000002';
    const foreign = Buffer.from(wal.segments().get(name) ?? []);
    foreign.writeBigUInt64LE(7n, 24);
    repository.put(`wal_005/${name}`, foreign);
    assert.match((await corrupt(2n)).join(), /^2: .*system identifier 7/);
  });
});

describe('a copy of a missing segment', () => {
  function copiesOf(
    files: ReadonlyMap<string, Uint8Array>,
    marked: readonly string[] = [],
  ): WalCopies {
    return {
      where: 'here',
      list: () =>
        Promise.resolve(
          [...files.keys()].map((name) => ({ name, isMarked: marked.includes(name) })),
        ),
      read: (name) => {
        const bytes = files.get(name);
        return Promise.resolve(bytes === undefined ? undefined : sourceOf(bytes));
      },
    };
  }

  async function heal(copies: WalCopies, last = 5n): Promise<HealedSegment[]> {
    const { listing } = await read();
    const covers: Cover[] = coverOf(listing, 1, { first: 1n, last });
    return await healGaps(
      await repository.open(),
      {
        covers,
        segmentBytes: SEGMENT_BYTES,
        systemId: SYSTEM_ID,
        sources: [{ copies, flushLsn: undefined }],
        isPlan: false,
      },
      { signal, report },
    );
  }

  const outcomes = (healed: readonly HealedSegment[]): string[] =>
    healed.map(({ segment, outcome }) => `${segment.number} ${outcome}`);

  /** Records that go on from one segment to the next. */
  function dense(bytes = 150_000): FakeWal {
    const wal = new FakeWal();
    while (wal.lsn < 6n * BigInt(SEGMENT_BYTES) - 400_000n) wal.filler(bytes);
    return wal;
  }

  it('is stored when it fits between its neighbours', async () => {
    const wal = dense();
    repository.archive(wal, without(2n, 3n));
    assert.deepEqual(outcomes(await heal(copiesOf(wal.segments()))), ['2 stored', '3 stored']);
    assert.deepEqual(planned((await read()).listing), [[1n, 5n]]);
  });

  it('is refused when it is of a server that went another way', async () => {
    repository.archive(dense(), without(3n));
    const healed = await heal(copiesOf(dense(123_456).segments()));
    assert.deepEqual(outcomes(healed), ['3 refused']);
    assert.deepEqual(planned((await read()).listing), [
      [1n, 2n],
      [4n, 5n],
    ]);
  });

  it('is refused when it does not follow what is archived, at the end of the archive', async () => {
    repository.archive(dense(), without(4n, 5n));
    const files = dense(123_456).segments();
    const healed = await heal(copiesOf(files, [...files.keys()]), 4n);
    assert.deepEqual(outcomes(healed), ['4 refused']);
  });

  it('is refused when it goes on to other WAL than the archive', async () => {
    const forked = (bytes: number): FakeWal => {
      const wal = new FakeWal();
      while (wal.lsn < 3n * BigInt(SEGMENT_BYTES) + 200_000n) wal.filler(150_000);
      while (wal.lsn < 6n * BigInt(SEGMENT_BYTES) - 400_000n) wal.filler(bytes);
      return wal;
    };
    repository.archive(forked(150_000), without(3n));
    const healed = await heal(copiesOf(forked(123_456).segments()));
    assert.deepEqual(outcomes(healed), ['3 refused']);
    assert.match(healed[0]?.problem ?? '', /a record is not continued on the next page/);
  });

  it('is refused when it does not follow a copy of the same gap, however long that is', async () => {
    const of = (bytes: number): FakeWal => {
      const wal = new FakeWal();
      while (wal.lsn < 39n * BigInt(SEGMENT_BYTES) - 400_000n) wal.filler(bytes);
      return wal;
    };
    const [one, other] = [of(150_000), of(140_000)];
    const border = '000000010000000000000021';
    repository.archive(one, (name) => name.endsWith('01'));
    repository.archive(other, (name) => name > '000000010000000000000024');
    const files = new Map([
      ...[...one.segments()].filter(([name]) => name <= border),
      ...[...other.segments()].filter(([name]) => name > border),
    ]);
    const healed = await heal(copiesOf(files), 37n);
    assert.equal(healed.filter(({ outcome }) => outcome === 'stored').length, 31);
    assert.deepEqual(outcomes(healed).slice(-4), [
      '33 refused',
      '34 refused',
      '35 refused',
      '36 refused',
    ]);
  });

  it('is told from what the server has not finished, at the end of the archive', async () => {
    const wal = dense();
    repository.archive(wal, without(4n, 5n));
    const files = new Map(wal.segments());
    const name = '000000010000000000000004';
    assert.deepEqual(outcomes(await heal(copiesOf(files), 4n)), ['4 refused']);
    assert.deepEqual(outcomes(await heal(copiesOf(files, [name]), 4n)), ['4 stored']);
  });

  it('is refused where its last record goes on in what nobody has', async () => {
    const wal = dense();
    repository.archive(wal, without(4n, 5n));
    const name = '000000010000000000000004';
    const files = new Map([[name, wal.segments().get(name) ?? new Uint8Array(0)]]);
    const [healed] = await heal(copiesOf(files, [name]), 4n);
    assert.match(healed?.problem ?? '', /goes on in a segment that neither archive nor server has/);
  });

  it('is told as absent when there is none', async () => {
    repository.archive(dense(), without(3n));
    assert.deepEqual(outcomes(await heal(copiesOf(new Map()))), ['3 absent']);
  });

  it('is not stored when it changes between the proof and the storing', async () => {
    const wal = dense();
    repository.archive(wal, without(3n));
    const files = wal.segments();
    let reads = 0;
    const copies = copiesOf(files);
    const healed = await heal({
      ...copies,
      read: (name, options) => {
        reads += 1;
        const later = files.get('000000010000000000000004') ?? new Uint8Array(0);
        return reads > 1 ? Promise.resolve(sourceOf(later)) : copies.read(name, options);
      },
    });
    assert.deepEqual(outcomes(healed), ['3 refused']);
    assert.match(healed[0]?.problem ?? '', /changed while it was read/);
    assert.deepEqual(planned((await read()).listing), [
      [1n, 2n],
      [4n, 5n],
    ]);
  });
});

function planned({ segments }: ArchiveState['listing']): bigint[][] {
  return (segments.get(1) ?? []).map(({ first, last }) => [first, last]);
}
