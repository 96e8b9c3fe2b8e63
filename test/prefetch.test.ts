/**
 * What is fetched ahead of recovery: the right segments, no more than is allowed, and nothing that is
 * not whole. With servers: recovery-ahead.test.ts; through the launcher: launcher-ahead.test.ts.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { keepHistory, openRing, segmentsInRing, tellWanted } from '@tsbk/core/archive/ring';
import { becomeKeeper, hasKeeper, type ProcessIdentity } from '@tsbk/core/archive/ring-keeper';
import { takeAhead } from '@tsbk/core/archive/take-ahead';
import { systemIdOfDataDirectory } from '@tsbk/core/cluster/system-id';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import { realClock } from './support/clock.ts';
import { eventually } from './support/eventually.ts';
import { openModelStore } from './support/model-store.ts';
import { openRingSite, segmentNames, type RingSite } from './support/ring-site.ts';
import { sameBytes } from './support/same-bytes.ts';
import { controlContent, segmentContent, segmentName, SYSTEM_ID } from './support/wal-file.ts';

const MIB = 1024 * 1024;

const { signal } = new AbortController();

/** As recovery takes them, one after the other, comparing each. */
async function takes(site: RingSite, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const destination = join(site.root, 'RECOVERYXLOG');
    const taken = await eventually(name, () =>
      takeAhead(site.ring, { name, destination }, { signal, clock: realClock }),
    );
    assert.equal(taken, MIB);
    sameBytes(readFileSync(destination), segmentContent(name));
  }
}

describe('what is fetched ahead', () => {
  it('is as much as is allowed, goes on as it is taken, and ends with the archive', async () => {
    await using site = await openRingSite();
    await site.archive(segmentNames(1, 9));
    await site.wants(segmentName(1));
    const run = site.run();
    // For a recovery that has not taken any yet it is little.
    await site.holds(segmentNames(2, 3));
    await takes(site, segmentNames(2, 3));
    await site.holds(segmentNames(4, 6));
    // More than one look later it is still no more.
    await sleep(100);
    await site.holds(segmentNames(4, 6));
    await takes(site, segmentNames(4, 9));
    assert.equal(await run.end, 'end-of-archive');
    await site.holds([]);
  });

  it('is at most 512 MiB, and at least one segment', async () => {
    await using site = await openRingSite();
    // The two that come after the last of eight segments of 512 MiB.
    const names = ['000000010000000100000000', '000000010000000100000001'];
    await site.archive(names);
    const segmentBytes = 512 * MIB;
    await tellWanted(site.ring, { name: '000000010000000000000007', segmentBytes });
    const run = site.run();
    await site.holds(names.slice(0, 1));
    await sleep(100);
    await site.holds(names.slice(0, 1));
    await run.stop();
  });

  it('is what comes after the segment that was not there in time, wherever that is', async () => {
    await using site = await openRingSite();
    await site.archive(segmentNames(1, 20));
    await site.wants(segmentName(1));
    const run = site.run();
    await site.holds(segmentNames(2, 3));
    await site.wants(segmentName(10));
    await site.holds(segmentNames(11, 12));
    await site.wants(segmentName(3));
    await site.holds(segmentNames(4, 5));
    await run.stop();
    await site.holds([]);
  });

  it('follows the timelines that recovery was given the history of', async () => {
    await using site = await openRingSite();
    await site.archive([...segmentNames(1, 6), ...segmentNames(5, 8, 2)]);
    const history = join(site.root, 'history');
    writeFileSync(history, '1\t0/500100\tpromoted\n');
    await keepHistory(site.ring, history, '00000002.history');
    await site.wants(segmentName(3));
    const run = site.run();
    await site.holds([segmentName(4), segmentName(5, 2)]);
    await takes(site, [segmentName(4), ...segmentNames(5, 8, 2)]);
    assert.equal(await run.end, 'end-of-archive');
  });

  it('is of the parent where the new timeline has no segment of its own', async () => {
    await using site = await openRingSite();
    await site.archive(segmentNames(1, 5));
    const history = join(site.root, 'history');
    writeFileSync(history, '1\t0/500100\tpromoted\n');
    await keepHistory(site.ring, history, '00000002.history');
    await site.wants(segmentName(4));
    const run = site.run();
    await site.holds([segmentName(5)]);
    await run.stop();
  });

  it('is not of a timeline that recovery passed over', async () => {
    await using site = await openRingSite();
    await site.archive([...segmentNames(1, 9), ...segmentNames(5, 9, 2)]);
    const history = join(site.root, 'history');
    writeFileSync(history, '1\t0/500100\tpromoted\n');
    await keepHistory(site.ring, history, '00000002.history');
    await site.wants(segmentName(3));
    const run = site.run();
    await site.holds([segmentName(4), segmentName(5, 2)]);
    await takes(site, [segmentName(4)]);
    await site.holds(segmentNames(5, 7, 2));
    await site.wants(segmentName(5));
    await site.holds(segmentNames(6, 8));
    await run.stop();
  });

  it('is nothing damaged, and nothing behind it', async () => {
    await using site = await openRingSite();
    await site.archive(segmentNames(1, 6));
    const damaged = segmentContent(segmentName(4), { pageAddress: 0n });
    writeFileSync(join(site.root, 'wal_005', segmentName(4)), damaged);
    await site.wants(segmentName(1));
    const run = site.run({ depth: 8 });
    await site.holds(segmentNames(2, 3));
    await takes(site, segmentNames(2, 3));
    assert.equal(await run.end, 'end-of-archive');
    await site.holds([]);
  });

  it('is nothing of another cluster', async () => {
    await using site = await openRingSite();
    await site.archive(segmentNames(1, 4));
    writeFileSync(join(site.root, 'pg_control'), '');
    const other = segmentContent(segmentName(3), { systemId: SYSTEM_ID + 1n });
    writeFileSync(join(site.root, 'wal_005', segmentName(3)), other);
    const data = join(site.root, 'data');
    mkdirSync(join(data, 'global'), { recursive: true });
    writeFileSync(join(data, 'global/pg_control'), controlContent());
    await site.wants(segmentName(1));
    const run = site.run({ systemId: await systemIdOfDataDirectory(data) });
    await site.holds([segmentName(2)]);
    await sleep(50);
    await site.holds([segmentName(2)]);
    await run.stop();
  });

  it('comes after an outage that ends within the patience', async () => {
    await using model = await openModelStore();
    await using site = await openRingSite(model.env);
    await site.archive(segmentNames(1, 5));
    await site.wants(segmentName(1));
    const from = model.model.requests.length;
    model.breakDown({ kind: 'status', status: 503, code: 'SlowDown' });
    const run = site.run({ patienceMs: 60_000 });
    await model.asked('GetObject', from);
    await site.holds([]);
    model.recover();
    await site.holds(segmentNames(2, 3));
    await run.stop();
  });

  it('leaves an outage that lasts to whoever asks next', async () => {
    await using model = await openModelStore();
    await using site = await openRingSite(model.env);
    await site.archive(segmentNames(1, 5));
    await site.wants(segmentName(1));
    model.breakDown({ kind: 'status', status: 503, code: 'SlowDown' });
    assert.equal(await site.run().end, 'end-of-archive');
  });

  it('ends, and is removed, when nobody is there any more who could ask', async () => {
    await using site = await openRingSite();
    await site.archive(segmentNames(1, 5));
    await site.wants(segmentName(1));
    let asking = true;
    const run = site.run({ isAsking: async () => asking });
    await site.holds(segmentNames(2, 3));
    asking = false;
    assert.equal(await run.end, 'nobody-asks');
    await site.holds([]);
  });

  it('ends when nothing is taken, and leaves the very next ones', async () => {
    await using site = await openRingSite();
    await site.archive(segmentNames(1, 9));
    await site.wants(segmentName(1));
    const run = site.run({ idleMs: 300 });
    await takes(site, segmentNames(2, 3));
    assert.equal(await run.end, 'idle');
    await site.holds(segmentNames(4, 5));
  });
});

describe('a segment that was fetched ahead', () => {
  const take = (site: RingSite, name: string) =>
    takeAhead(
      site.ring,
      { name, destination: join(site.root, 'RECOVERYXLOG') },
      { signal, clock: realClock },
    );

  it('is handed over once: PostgreSQL uses the very file again for new WAL', async () => {
    await using site = await openRingSite();
    writeFileSync(join(site.ring.folder, segmentName(1)), segmentContent(segmentName(1)));
    assert.equal(await take(site, segmentName(1)), MIB);
    assert.equal(await take(site, segmentName(1)), undefined);
    assert.deepEqual(await segmentsInRing(site.ring), []);
  });

  it('is waited for while it is on its way, and not when nothing comes of it', async () => {
    await using site = await openRingSite();
    const half = join(site.ring.folder, `${segmentName(1)}.tsbk-${process.pid}-0123abcd`);
    writeFileSync(half, 'half');
    const waiting = take(site, segmentName(1));
    await sleep(30);
    writeFileSync(join(site.ring.folder, segmentName(1)), segmentContent(segmentName(1)));
    assert.equal(await waiting, MIB);
    assert.equal(await take(site, segmentName(1)), undefined);
  });

  it('is not waited for when the process that fetched it is dead', async () => {
    await using site = await openRingSite();
    const { pid } = spawnSync('true');
    writeFileSync(join(site.ring.folder, `${segmentName(1)}.tsbk-${pid}-0123abcd`), 'half');
    const before = performance.now();
    assert.equal(await take(site, segmentName(1)), undefined);
    assert.ok(performance.now() - before < 900, 'it was waited for');
  });
});

describe('a ring', () => {
  it('is of one archive, one cluster and one run of the server; others are removed', async () => {
    await using site = await openRingSite();
    const owner = { place: site.root, systemId: undefined, server: 'one' };
    const entry = join(site.ring.folder, segmentName(1));
    writeFileSync(entry, segmentContent(segmentName(1)));
    assert.equal((await openRing(site.state, owner)).folder, site.ring.folder);
    assert.ok(existsSync(entry));
    const systemId = await cluster(site.root);
    const others = [{ place: 'elsewhere' }, { systemId }, { server: 'two' }];
    for (const other of others) {
      const own = await openRing(site.state, owner);
      writeFileSync(join(own.folder, segmentName(1)), segmentContent(segmentName(1)));
      const ring = await openRing(site.state, { ...owner, ...other });
      assert.deepEqual(await segmentsInRing(ring), []);
      assert.deepEqual(readdirSync(join(site.state, 'ahead')), [basename(ring.folder)]);
    }
  });

  it('in which others could write is refused', async () => {
    await using site = await openRingSite();
    chmodSync(join(site.state, 'ahead'), 0o777);
    const opened = openRing(site.state, { place: '', systemId: undefined, server: 'one' });
    await assert.rejects(opened, (error) => isTsbkError(error) && error.code === 'state-directory');
  });

  it('is filled by one process, and by another one when that is dead', async () => {
    await using site = await openRingSite();
    const dead = new Set<string>();
    const identity = (mark: string): ProcessIdentity => ({ mark, isGone: (one) => dead.has(one) });
    {
      await using first = await becomeKeeper(site.ring, identity('first'));
      assert.ok(first);
      assert.equal(await becomeKeeper(site.ring, identity('second')), undefined);
      assert.equal(await hasKeeper(site.ring, identity('second')), true);
      dead.add('first');
      assert.equal(await hasKeeper(site.ring, identity('second')), false);
      await using second = await becomeKeeper(site.ring, identity('second'));
      assert.ok(second);
    }
    assert.equal(await hasKeeper(site.ring, identity('third')), false);
    await using third = await becomeKeeper(site.ring, identity('third'));
    assert.ok(third);
    assert.deepEqual(readdirSync(site.ring.folder), ['prefetcher']);
  });
});

async function cluster(root: string) {
  const data = join(root, 'data');
  mkdirSync(join(data, 'global'), { recursive: true });
  writeFileSync(join(data, 'global/pg_control'), controlContent());
  return await systemIdOfDataDirectory(data);
}
