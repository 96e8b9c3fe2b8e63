import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { systemClock } from '@tsbk/core/engine/clock';
import { instantFromMs, instantToMs } from '@tsbk/core/kernel/instant';
import type { Clock } from '@tsbk/core/ports/clock';
import { LookAhead } from './look-ahead.ts';

const FILES = [1, 2, 3, 4, 5, 6].map((n) => `00000001000000000000000${n}`);
const PLACE = 'an archive';

/** Everything has been left alone for an hour. */
const LATER: Clock = {
  ...systemClock,
  now: () => instantFromMs(instantToMs(systemClock.now()) + 3_600_000),
};

interface Push {
  readonly name: string;
  readonly end: (error?: Error) => void;
}

describe('The daemon, pushing ahead', { timeout: 60_000 }, () => {
  let dataDir: string;
  let begun: Push[];
  let failures: string[];
  let ahead: LookAhead;
  let most: number;

  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'tsbk-ahead-'));
    mkdirSync(join(dataDir, 'pg_wal/archive_status'), { recursive: true });
    for (const name of FILES) offer(name);
    begun = [];
    failures = [];
    most = 2;
    ahead = new LookAhead({
      dataDir,
      clock: LATER,
      width: () => 2,
      most: () => most,
      push: async (path) => {
        const seen = await ahead.look(path);
        await new Promise<void>((resolve, reject) => {
          const end = (error?: Error): void => (error === undefined ? resolve() : reject(error));
          begun.push({ name: basename(path), end });
        });
        await ahead.remember(path, seen, PLACE);
      },
      failed: (what) => failures.push(what),
    });
  });
  afterEach(() => rmSync(dataDir, { recursive: true }));

  const offer = (name: string): void => {
    writeFileSync(join(dataDir, 'pg_wal', name), '');
    writeFileSync(join(dataDir, 'pg_wal/archive_status', `${name}.ready`), '');
  };
  /** Waits until so many pushes have begun. */
  const untilBegun = async (count: number): Promise<string[]> => {
    while (begun.length < count) await new Promise((resolve) => setTimeout(resolve, 2));
    return begun.map(({ name }) => name);
  };
  const idle = (): Promise<void> => ahead.caughtUp(60_000, new AbortController().signal);

  it('begins the next file when a place is free, whoever is still at work', async () => {
    ahead.wake();
    await untilBegun(2);
    for (let count = 3; count <= FILES.length; count += 1) {
      begun[count - 2]?.end();
      await untilBegun(count);
    }
    assert.deepEqual(
      begun.map(({ name }) => name),
      FILES,
    );
    begun[0]?.end();
    begun.at(-1)?.end();
    await idle();
    assert.equal(begun.length, FILES.length);
  });

  it('has as many at work as it may, also when there is something new after most have ended', async () => {
    ahead.wake();
    for (let count = 2; count <= FILES.length; count += 1) {
      await untilBegun(count);
      if (count < FILES.length) begun[count - 1]?.end();
    }
    offer('000000010000000000000007');
    offer('000000010000000000000008');
    begun[0]?.end();
    await untilBegun(FILES.length + 1);
    ahead.wake();
    assert.deepEqual((await untilBegun(FILES.length + 1)).slice(FILES.length), [
      '000000010000000000000007',
    ]);
    begun[FILES.length - 1]?.end();
    await untilBegun(FILES.length + 2);
    for (const { end } of begun) end();
    await idle();
    for (const name of FILES) {
      assert.ok(await ahead.recalls(join(dataDir, 'pg_wal', name), PLACE), name);
    }
  });

  it('passes over what somebody asked for since it was planned, and what is gone', async () => {
    most = FILES.length;
    ahead.wake();
    await untilBegun(2);
    const [third = '', fourth = ''] = FILES.slice(2).map((name) => join(dataDir, 'pg_wal', name));
    await ahead.remember(third, await ahead.look(third), PLACE);
    rmSync(fourth);
    begun[0]?.end();
    begun[1]?.end();
    assert.deepEqual((await untilBegun(4)).slice(2), FILES.slice(4));
    for (const { end } of begun) end();
    await idle();
    assert.deepEqual([begun.length, failures.length], [4, 0]);
  });

  it('tries nothing more after a failure until somebody asks', async () => {
    ahead.wake();
    await untilBegun(2);
    begun[1]?.end(new Error('no'));
    begun[0]?.end();
    await idle();
    assert.deepEqual([begun.length, failures.length], [2, 1]);
    ahead.wake();
    assert.deepEqual((await untilBegun(4)).slice(2).sort(), FILES.slice(1, 3));
    // Six files, and one of them twice.
    for (let count = 4; count <= 7; count += 1) {
      await untilBegun(count);
      for (const { end } of begun) end();
    }
    await idle();
  });
});
