import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import { SharedRuns } from './shared-runs.ts';

const forever = new AbortController().signal;

/** Work that ends when it is told to, and hears its signal. */
function controlled() {
  let started = 0;
  let finish: (value: string) => void = () => {};
  let stopped: unknown;
  return {
    started: () => started,
    stopped: () => stopped,
    finish: (value: string) => finish(value),
    work: (signal: AbortSignal): Promise<string> => {
      started += 1;
      return new Promise((resolve, reject) => {
        finish = resolve;
        signal.addEventListener('abort', () => {
          stopped = signal.reason;
          reject(signal.reason as Error);
        });
      });
    },
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('SharedRuns', () => {
  it('does once what two ask for, and tells both', async () => {
    const runs = new SharedRuns<string>({ width: 2, most: 8 });
    const { work, finish, started } = controlled();
    const both = [runs.join('a', forever, work), runs.join('a', forever, work)];
    await turn();
    assert.deepEqual([runs.size, started()], [1, 1]);
    finish('done');
    assert.deepEqual(await Promise.all(both), ['done', 'done']);
    assert.equal(runs.size, 0);
  });

  it('goes on while one of two is left, and stops when the last one goes', async () => {
    const runs = new SharedRuns<string>({ width: 2, most: 8 });
    const { work, stopped } = controlled();
    const [first, second] = [new AbortController(), new AbortController()];
    const waits = [runs.join('a', first.signal, work), runs.join('a', second.signal, work)];
    await turn();
    first.abort(new Error('first'));
    await assert.rejects(waits[0] ?? Promise.resolve(), /first/);
    assert.equal(stopped(), undefined);
    second.abort(new Error('second'));
    await assert.rejects(waits[1] ?? Promise.resolve(), /second/);
    assert.ok(isTsbkError(stopped(), 'interrupted'));
  });

  it('begins anew for one who comes after the last one went, whatever the old run still does', async () => {
    const runs = new SharedRuns<string>({ width: 2, most: 8 });
    const deaf = new Promise<string>(() => {});
    const gone = new AbortController();
    const left = runs.join('a', gone.signal, () => deaf);
    gone.abort(new Error('gone'));
    await assert.rejects(left, /gone/);
    assert.equal(await runs.join('a', forever, async () => 'fresh'), 'fresh');
  });

  it('lets no more work at once than its width, in the order in which they came', async () => {
    const runs = new SharedRuns<string>({ width: 1, most: 8 });
    const order: string[] = [];
    const work = (name: string) => async (): Promise<string> => {
      order.push(`${name} begins`);
      await turn();
      order.push(`${name} ends`);
      return name;
    };
    const failing = async (): Promise<string> => {
      await turn();
      throw new Error('b failed');
    };
    const all = await Promise.allSettled([
      runs.join('a', forever, work('a')),
      runs.join('b', forever, failing),
      runs.join('c', forever, work('c')),
    ]);
    assert.deepEqual(
      all.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    assert.deepEqual(order, ['a begins', 'a ends', 'c begins', 'c ends']);
  });

  it('refuses what is too much, and takes more when there is room', async () => {
    const runs = new SharedRuns<string>({ width: 1, most: 2 });
    const { work, finish } = controlled();
    const first = runs.join('a', forever, work);
    const second = runs.join('b', forever, async () => 'b');
    await assert.rejects(
      runs.join('c', forever, async () => 'c'),
      (error) => isTsbkError(error, 'daemon-busy'),
    );
    await turn();
    finish('a');
    assert.deepEqual(await Promise.all([first, second]), ['a', 'b']);
    assert.equal(await runs.join('c', forever, async () => 'c'), 'c');
  });
});
