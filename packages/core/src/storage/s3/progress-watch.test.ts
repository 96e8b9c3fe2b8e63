import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { progressWatch } from './progress-watch.ts';

/** A watch over 100 ms, on a clock that the test turns. */
function watched(): { watch: ReturnType<typeof progressWatch>; stood: () => number } {
  let stood = 0;
  const watch = progressWatch(100, () => {
    stood += 1;
  });
  return { watch, stood: () => stood };
}

/** Waits so long under the watch. */
async function waiting(watch: ReturnType<typeof progressWatch>, ms: number): Promise<void> {
  let end: (() => void) | undefined;
  const done = watch.during(
    () =>
      new Promise<void>((resolve) => {
        end = resolve;
      }),
  );
  pass(ms);
  end?.();
  await done;
}

let now = 0;

function pass(ms: number): void {
  now += ms;
  mock.timers.tick(ms);
}

describe('a watch over progress', () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  mock.method(performance, 'now', () => now);

  it('strikes when nothing comes for its time', async () => {
    const { watch, stood } = watched();
    await waiting(watch, 99);
    assert.equal(stood(), 0);
    await waiting(watch, 2);
    assert.equal(stood(), 1);
  });

  it('strikes when next to nothing comes', async () => {
    const { watch, stood } = watched();
    for (let round = 0; round < 10; round += 1) {
      await waiting(watch, 11);
      watch.made(10);
    }
    assert.ok(stood() > 0);
  });

  it('does not strike while enough comes', async () => {
    const { watch, stood } = watched();
    for (let round = 0; round < 50; round += 1) {
      await waiting(watch, 90);
      watch.made(64 * 1024);
    }
    assert.equal(stood(), 0);
  });

  it('does not count the time in which nobody waits', async () => {
    const { watch, stood } = watched();
    for (let round = 0; round < 5; round += 1) {
      await waiting(watch, 10);
      pass(1000);
    }
    assert.equal(stood(), 0);
  });
});
