import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BlobStore } from '@tsbk/core/ports/blob-store';
import { openFileStore } from '@tsbk/core/storage/file/open';
import { parseFailpoint, withFailpoint } from '@tsbk/core/storage/failpoints';
import { keysOf, noise, refuses, signal } from './contracts/blob-store/helpers.ts';
import { realClock } from './support/clock.ts';
import { tempDirectory } from './support/temp-directory.ts';

interface Place extends AsyncDisposable {
  readonly store: BlobStore;
  /** What was done to the process. */
  readonly done: readonly (string | number)[];
}

async function place(failpoint: string): Promise<Place> {
  const directory = await tempDirectory();
  const done: (string | number)[] = [];
  const bare = openFileStore({ root: directory.path }, { clock: realClock });
  const store = withFailpoint(bare, parseFailpoint(failpoint), {
    signal: (name) => done.push(name),
    exit: (code) => done.push(code),
    calls: new Int32Array(new SharedArrayBuffer(4)),
  });
  return { store, done, [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() };
}

describe('a failpoint', () => {
  it('is read from name:n:action', () => {
    assert.deepEqual(parseFailpoint('put:3:kill'), {
      name: 'put',
      after: false,
      hit: 3,
      action: 'kill',
    });
    assert.deepEqual(parseFailpoint('complete-done:1:hang'), {
      name: 'complete',
      after: true,
      hit: 1,
      action: 'hang',
    });
  });

  for (const text of [
    '',
    'put',
    'put:1',
    'put:0:kill',
    'put:1:explode',
    'fly:1:kill',
    'put:-1:kill',
  ]) {
    it(`is not ${text === '' ? 'empty' : text}`, async () => {
      await refuses('usage', async () => parseFailpoint(text));
    });
  }

  it('strikes at that call and no other', async () => {
    await using at = await place('put:2:throw');
    await at.store.put('a', noise(1), { signal });
    await refuses('store-failed', () => at.store.put('b', noise(1), { signal }));
    await at.store.put('c', noise(1), { signal });
    assert.deepEqual(await keysOf(at.store), ['a', 'c']);
  });

  it('strikes after the work if so wanted', async () => {
    await using at = await place('put-done:1:throw');
    await refuses('store-failed', () => at.store.put('a', noise(1), { signal }));
    assert.deepEqual(await keysOf(at.store), ['a']);
  });

  it('reaches the steps of uploads and lists', async () => {
    for (const [name, struck] of [
      ['part', 1],
      ['complete', 1],
      ['abort', 1],
      ['list', 1],
    ] as const) {
      await using at = await place(`${name}:1:kill`);
      const upload = await at.store.upload('a', { signal });
      await upload.part({ number: 1, offset: 0, bytes: noise(1) }, { signal });
      await upload.complete({ signal });
      await upload.abort({ signal });
      await keysOf(at.store);
      assert.deepEqual(
        at.done,
        Array.from({ length: struck }, () => 'SIGKILL'),
      );
    }
  });

  it('ends the process as told', async () => {
    for (const [action, expected] of [
      ['kill', 'SIGKILL'],
      ['term', 'SIGTERM'],
      ['exit', 70],
    ] as const) {
      await using at = await place(`stat:1:${action}`);
      await at.store.stat('a', { signal });
      assert.deepEqual(at.done, [expected]);
    }
  });
});
