/** Which targets can be reached from an archive, and what is said of those that cannot. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { FakeWal } from '@tsbk/core/format/wal/fake-wal';
import { isTsbkError, type TsbkError } from '@tsbk/core/kernel/errors';
import { instantFromMs, type Instant } from '@tsbk/core/kernel/instant';
import { toLsn, type Lsn } from '@tsbk/core/kernel/lsn';
import type { BlobStore } from '@tsbk/core/ports/blob-store';
import type { Repository } from '@tsbk/core/repository/repository';
import type { RestorePlan, RestoreRequest } from '@tsbk/core/restore/plan';
import { planRestore } from '@tsbk/core/restore/plan-restore';
import type { RecoveryTarget } from '@tsbk/core/restore/target';
import { fetchRequest } from './support/fetch-request.ts';
import { fakeRepository, type FakeRepository } from './support/fake-repository.ts';

const { signal } = new AbortController();
const minute = (n: number): Instant => instantFromMs(Date.UTC(2026, 10, 22, 10, n));

let scratch: string;
let repository: FakeRepository;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'tsbk-reach-'));
  repository = fakeRepository(join(scratch, 'repository'));
});

afterEach(() => rmSync(scratch, { recursive: true }));

async function plan(
  target: RecoveryTarget,
  request: Partial<RestoreRequest> = {},
  from?: Repository,
): Promise<RestorePlan> {
  return await planRestore(
    from ?? (await repository.open()),
    fetchRequest({ destination: join(scratch, 'restored'), target, ...request }),
    { signal, report: () => {} },
  );
}

/** Why a plan cannot be carried out, in one line. */
function refusal({ problems }: RestorePlan): string {
  const [problem] = problems;
  return problem === undefined ? '' : `${problem.code}: ${problem.message}. ${problem.hint}`;
}

async function throws(planned: Promise<RestorePlan>): Promise<TsbkError> {
  let thrown: unknown;
  await planned.catch((error: unknown) => (thrown = error));
  assert.ok(isTsbkError(thrown), 'the plan was not refused');
  return thrown;
}

/**
 * Segment 1: the backup, minutes 0 to 2. From there on a commit each minute, a segment every ten;
 * transaction 700 + n ends at minute n.
 */
function history(minutes = 60): { readonly wal: FakeWal; readonly lsns: Map<number, Lsn> } {
  const wal = new FakeWal();
  const lsns = new Map<number, Lsn>();
  const startLsn = wal.filler(100);
  lsns.set(1, wal.commit(701, minute(1)));
  wal.filler(50_000);
  lsns.set(2, wal.commit(702, minute(2)));
  const stopLsn = wal.filler(20);
  repository.backup({ startLsn, stopLsn, startTime: minute(0), finishTime: minute(3) });
  for (let n = 4; n <= minutes; n += 1) {
    lsns.set(n, wal.commit(700 + n, minute(n)));
    if (n === 25) wal.restorePoint('before lunch', minute(n));
    wal.filler(9000);
    if (n % 10 === 0) wal.switch();
  }
  return { wal, lsns };
}

const at = (n: number, inclusive = true) => ({ kind: 'time', time: minute(n), inclusive }) as const;
const xid = (n: number, inclusive = true) => ({ kind: 'xid', xid: 700 + n, inclusive }) as const;

describe('a target in the archive', () => {
  it('is reached at the end, at a time, an LSN, a transaction and a name', async () => {
    const { wal, lsns } = history();
    repository.archive(wal);
    for (const [target, next] of [
      [at(37), lsns.get(38)],
      [at(37, false), lsns.get(37)],
      [xid(37, false), lsns.get(37)],
      [{ kind: 'lsn', lsn: toLsn((lsns.get(37) ?? 0n) - 5n), inclusive: false }, lsns.get(37)],
    ] as const) {
      const { reach, problems } = await plan(target);
      assert.deepEqual(problems, []);
      assert.equal(reach.at?.lsn, next, target.kind);
    }
    const last = await plan({ kind: 'latest' });
    assert.deepEqual([last.reach.archiveEnd?.time, last.wal.toTarget], [minute(60), 6]);
    const named = await plan({ kind: 'name', name: 'before lunch' });
    assert.deepEqual([named.reach.at?.time, named.wal.toTarget], [minute(25), 3]);
    assert.equal((await plan({ kind: 'immediate' })).wal.toTarget, 1);
  });

  it('is found in a long archive where most segments are idle', async () => {
    const { wal } = history();
    for (let n = 0; n < 40; n += 1) {
      wal.filler(100);
      wal.switch();
    }
    const late = wal.commit(900, minute(90));
    repository.archive(wal);
    const { reach } = await plan(at(80));
    assert.equal(reach.at?.lsn, late);
    assert.equal((await plan(at(95))).reach.problem?.code, 'target-unreachable');
  });

  it('may be a commit whose record crosses into the next segment', async () => {
    const { wal } = history(4);
    const room = wal.segmentBytes - (Number(wal.lsn) % wal.segmentBytes);
    wal.filler(room - 1200 - Math.floor(room / 8192) * 24);
    for (let n = 0; n < 40; n += 1) wal.commit(800 + n, minute(30 + n));
    repository.archive(wal);
    for (let n = 0; n < 39; n += 1) {
      assert.deepEqual((await plan(at(30 + n))).problems, [], `minute ${30 + n}`);
    }
  });
});

describe('the end of a backup that is the end of the archive', () => {
  for (const [title, last, isRefused] of [
    ['is no target', (wal: FakeWal) => wal.filler(20), true],
    ['is one where a transaction ends', (wal: FakeWal) => wal.commit(702, minute(2)), false],
  ] as const) {
    it(title, async () => {
      const wal = new FakeWal();
      const startLsn = wal.filler(100);
      last(wal);
      repository.backup({
        startLsn,
        stopLsn: wal.lsn,
        startTime: minute(0),
        finishTime: minute(3),
      });
      repository.archive(wal);
      const found = await plan({ kind: 'immediate' });
      assert.equal(refusal(found).startsWith('target-unreachable: there is no WAL'), isRefused);
      assert.deepEqual((await plan({ kind: 'latest' })).problems, []);
      assert.deepEqual((await plan({ kind: 'immediate' }, { standby: true })).problems, []);
    });
  }
});

describe('a listing that lags behind', () => {
  it('hides nothing that the store has', async () => {
    repository.archive(history().wal);
    const opened = await repository.open();
    const { store } = opened;
    async function* lagging(...[prefix, options]: Parameters<BlobStore['list']>) {
      for await (const object of store.list(prefix, options)) {
        if (!/0000000[356]$|part_001/.test(object.key)) yield object;
      }
    }
    const late = { ...opened, store: { ...store, list: lagging } };
    const { problems, wal, links } = await plan({ kind: 'latest' }, {}, late);
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['backup-incomplete'],
    );
    assert.equal(wal.missing.name, '000000010000000000000007');
    assert.equal(links[0]?.tars.length, 2);
  });
});

describe('a target out of reach', () => {
  it('after the end of the archive is refused and the end is named', async () => {
    const { wal, lsns } = history();
    repository.archive(wal);
    for (const target of [
      at(60),
      at(61, false),
      { kind: 'lsn', lsn: wal.lsn, inclusive: true } as const,
      { kind: 'lsn', lsn: toLsn(0x7000_0000), inclusive: true } as const,
    ]) {
      const text = refusal(await plan(target));
      assert.match(text, /^target-unreachable: .* is after the end of the archive/, target.kind);
      assert.match(text, /The last point that can be reached is LSN .*, 2026-11-22 11:00:00\+00/);
    }
    assert.deepEqual((await plan(at(60, false))).problems, []);
    assert.ok(lsns.size > 0);
  });

  it('before the end of the backup is refused and the earliest point is named', async () => {
    const { wal, lsns } = history();
    repository.archive(wal);
    const name = 'base_000000010000000000000001';
    for (const target of [
      at(1),
      at(2, false),
      xid(1),
      { kind: 'lsn', lsn: lsns.get(2) ?? toLsn(0), inclusive: true } as const,
    ]) {
      const text = refusal(await plan(target, { backup: name }));
      assert.match(text, /is before the end of the backup/, target.kind);
      assert.match(text, /The earliest point this backup can be restored to is LSN 0\/10C/);
    }
    assert.deepEqual((await plan(at(2), { backup: name })).problems, []);
  });

  it('without any backup before it is refused', async () => {
    const { wal, lsns } = history();
    repository.archive(wal);
    const early = { kind: 'lsn', lsn: lsns.get(1) ?? toLsn(0), inclusive: true } as const;
    for (const target of [at(2), early]) {
      const error = await throws(plan(target));
      assert.equal(error.code, 'target-unreachable');
      assert.match(error.hint ?? '', /base_000000010000000000000001/);
    }
  });

  it('that nobody ever named is refused', async () => {
    repository.archive(history().wal);
    for (const target of [{ kind: 'name', name: 'lunch' } as const, xid(100)]) {
      assert.match(refusal(await plan(target)), /is not in the archive from .* to /);
    }
  });
});

describe('an archive with a hole', () => {
  const hole = (name: string): boolean => name !== '000000010000000000000004';

  it('is not restored to its "end"', async () => {
    repository.archive(history().wal, hole);
    const text = refusal(await plan({ kind: 'latest' }));
    assert.match(text, /^wal-missing: the archive has WAL after 000000010000000000000004/);
    assert.match(text, /2026-11-22 10:30:00\+00/);
  });

  it('is restored to targets before the hole, and to none behind it', async () => {
    repository.archive(history().wal, hole);
    assert.deepEqual((await plan(at(29))).problems, []);
    assert.match(refusal(await plan(at(35))), /is after the end of the archive/);
    assert.match(refusal(await plan(xid(35))), /is not in the archive/);
  });

  it('may become a standby, which is told', async () => {
    repository.archive(history().wal, hole);
    const { problems, warnings } = await plan({ kind: 'latest' }, { standby: true });
    assert.deepEqual(problems, []);
    assert.ok(warnings.some(({ code }) => code === 'wal-hole'));
  });

  it('in the backup itself is refused for every target', async () => {
    repository.archive(history().wal, (name) => name !== '000000010000000000000001');
    for (const target of [{ kind: 'latest' }, { kind: 'immediate' }, at(30)] as const) {
      const text = refusal(await plan(target, { segmentBytes: 1024 * 1024 }));
      assert.match(text, /^wal-missing: 000000010000000000000001 is not in the archive/);
    }
  });

  it('ends where only a partial segment is, which is said', async () => {
    const { wal } = history();
    repository.archive(wal, (name) => name !== '000000010000000000000006');
    repository.put('wal_005/000000010000000000000006.partial', wal.bytes().subarray(0, 100));
    const { problems, warnings, wal: planned } = await plan({ kind: 'latest' });
    assert.deepEqual(problems, []);
    assert.equal(planned.missing.name, '000000010000000000000006');
    assert.ok(warnings.some(({ code }) => code === 'partial-segment'));
  });
});

describe('LATEST', () => {
  /** Backups in segments 1, 3 and 5. */
  function three(): FakeWal {
    const { wal, lsns } = history();
    for (const n of [21, 41]) {
      const startLsn = lsns.get(n) ?? toLsn(0);
      const stopLsn = toLsn((lsns.get(n + 2) ?? 0n) + 40n);
      const [startTime, finishTime] = [minute(n - 1), minute(n + 3)];
      repository.backup({ startLsn, stopLsn, startTime, finishTime });
    }
    repository.archive(wal);
    return wal;
  }

  const chosen = async (target: RecoveryTarget): Promise<string> =>
    (await plan(target)).backup.name.slice(-1);

  it('is the newest backup that ends before the target', async () => {
    three();
    assert.equal(await chosen({ kind: 'latest' }), '5');
    assert.equal(await chosen(at(50)), '5');
    assert.equal(await chosen(at(43)), '3');
    assert.equal(await chosen(at(20)), '1');
    assert.equal(await chosen(xid(50)), '5');
    assert.equal(await chosen(xid(42)), '3');
    assert.equal(await chosen(xid(23)), '1');
    assert.equal(await chosen(xid(24)), '3');
    assert.equal(await chosen({ kind: 'name', name: 'before lunch' }), '3');
  });

  it('is a delta whose chain is broken, and then the newest whole one is named', async () => {
    const wal = three();
    const delta = 'base_000000010000000000000006_D_000000010000000000000004';
    repository.put(
      `basebackups_005/${delta}_backup_stop_sentinel.json`,
      `{"LSN":${wal.lsn},"FinishLSN":${wal.lsn},"StartTime":"2026-11-22T12:00:00Z","FinishTime":"2026-11-22T12:01:00Z","DeltaFrom":"base_000000010000000000000004","DeltaFullName":"base_000000010000000000000004","DeltaLSN":1,"DeltaCount":1}`,
    );
    const { problems } = await plan({ kind: 'latest' });
    const problem = problems.find(({ code }) => code === 'backup-incomplete');
    assert.match(
      problem?.message ?? '',
      /builds on base_000000010000000000000004, which is not there/,
    );
    assert.match(problem?.hint ?? '', /whole is base_000000010000000000000005/);
    assert.equal(await chosen(at(50)), '5');
  });

  it('passes over a backup whose record is damaged, and says so', async () => {
    three();
    repository.put('basebackups_005/base_X_backup_stop_sentinel.json', '{"LSN":');
    const { warnings, backup } = await plan({ kind: 'latest' });
    assert.equal(backup.name.slice(-1), '5');
    assert.ok(
      warnings.some(({ code, text }) => code === 'backup-unreadable' && /base_X/.test(text)),
    );
  });
});

describe('a timeline', () => {
  /** Timeline 2 leaves 1 at minute 35, in segment 4; both go on to minute 60. */
  function fork(): { readonly old: FakeWal; readonly young: FakeWal } {
    const { wal: old } = history(35);
    const young = old.fork(2);
    const switchLsn = young.lsn;
    for (let n = 36; n <= 60; n += 1) {
      for (const [wal, base] of [
        [old, 700],
        [young, 2700],
      ] as const) {
        wal.commit(base + n, minute(n));
        wal.filler(9000);
        if (n % 10 === 0) wal.switch();
      }
    }
    repository.archive(old);
    repository.archive(young, (name) => name.startsWith('00000002'));
    const text = `1\t${switchLsn >> 32n}/${switchLsn.toString(16)}\tno recovery target specified\n`;
    repository.put('wal_005/00000002.history', text);
    return { old, young };
  }

  const young = { kind: 'xid', xid: 2750, inclusive: true } as const;

  it('is the latest unless something else is asked', async () => {
    fork();
    const { wal, reach, problems } = await plan(young);
    assert.deepEqual(problems, []);
    assert.equal(wal.timeline, 2);
    assert.deepEqual(wal.available, [
      { first: '000000010000000000000001', last: '000000010000000000000003' },
      { first: '000000020000000000000004', last: '000000020000000000000006' },
    ]);
    assert.equal(reach.at?.time, minute(50));
    assert.deepEqual((await plan(xid(50))).problems.length, 1);
  });

  it("may be the backup's own", async () => {
    fork();
    for (const timeline of ['current', 1] as const) {
      const { wal, problems } = await plan(xid(50), { timeline });
      assert.deepEqual([problems, wal.timeline], [[], 1]);
      assert.equal((await plan(young, { timeline })).problems.length, 1);
    }
  });

  it('that does not exist is refused', async () => {
    fork();
    const error = await throws(plan({ kind: 'latest' }, { timeline: 7 }));
    assert.match(error.message, /no history file of timeline 7/);
  });

  it('that left before the backup was made is refused, with a way out', async () => {
    const { old } = fork();
    const startLsn = old.filler(10);
    const stopLsn = old.filler(10);
    repository.archive(old);
    repository.backup({ startLsn, stopLsn, startTime: minute(61), finishTime: minute(62) });
    const error = await throws(plan({ kind: 'latest' }));
    assert.equal(error.code, 'target-unreachable');
    assert.match(error.hint ?? '', /--target-timeline current/);
    // With a target the newest backup that is on the way is taken.
    assert.equal((await plan(at(59))).backup.name.slice(-1), '1');
  });
});
