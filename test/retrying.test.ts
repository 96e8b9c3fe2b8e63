import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isTsbkError, TsbkError } from '@tsbk/core/kernel/errors';
import type { BlobStore, Upload } from '@tsbk/core/ports/blob-store';
import type { ReportEvent } from '@tsbk/core/ports/report';
import { openFileStore } from '@tsbk/core/storage/file/open';
import { retrying, type RetryOptions } from '@tsbk/core/storage/retrying';
import { blobStoreContract } from './contracts/blob-store.ts';
import {
  contentOf,
  foldersOf,
  keysOf,
  noise,
  refuses,
  signal,
  unfinishedOf,
} from './contracts/blob-store/helpers.ts';
import { createFakeClock, realClock } from './support/clock.ts';
import { tempDirectory } from './support/temp-directory.ts';

interface Place extends AsyncDisposable {
  readonly bare: BlobStore;
  readonly clock: ReturnType<typeof createFakeClock>;
  readonly events: readonly ReportEvent[];
  /** The decorator around what `change` makes of the bare store. */
  around(change: Partial<BlobStore>, policy?: Partial<RetryOptions>): BlobStore;
}

async function place(): Promise<Place> {
  const directory = await tempDirectory();
  const bare = openFileStore({ root: directory.path }, { clock: realClock });
  const clock = createFakeClock();
  const events: ReportEvent[] = [];
  const defaults: RetryOptions = {
    attempts: 5,
    budgetMs: 60_000,
    baseMs: 100,
    capMs: 10_000,
    clock,
    random: () => 0.5,
    report: (event) => events.push(event),
  };
  return {
    bare,
    clock,
    events,
    around: (change, policy = {}) => retrying({ ...bare, ...change }, { ...defaults, ...policy }),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

const broken = (): TsbkError => new TsbkError('store-unreachable', 'no answer');

/** Fails the first `times` times it is asked whether to. */
function failing(times: number, error: () => Error = broken): () => void {
  let left = times;
  return () => {
    left -= 1;
    if (left >= 0) throw error();
  };
}

blobStoreContract('a retrying store', async () => {
  const directory = await tempDirectory();
  const options: RetryOptions = {
    attempts: 3,
    budgetMs: 1000,
    baseMs: 1,
    capMs: 1,
    clock: createFakeClock(),
    random: Math.random,
    report: () => assert.fail('nothing had to be tried again'),
  };
  const open = (root: string): BlobStore =>
    retrying(openFileStore({ root }, { clock: realClock }), options);
  return {
    store: open(directory.path),
    missing: open(`${directory.path}/missing`),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
});

describe('waiting between attempts', () => {
  it('grows from the base to the cap, and each wait is reported', async () => {
    await using at = await place();
    const fail = failing(6);
    const store = at.around(
      {
        stat: async (key, call) => {
          fail();
          return at.bare.stat(key, call);
        },
      },
      { attempts: 7, capMs: 1000 },
    );
    assert.equal(await store.stat('a', { signal }), undefined);
    assert.deepEqual(at.clock.slept, [50, 100, 200, 400, 500, 500]);
    assert.deepEqual(at.events[0], {
      kind: 'retry',
      what: 'stat a',
      attempt: 2,
      waitMs: 50,
      error: 'no answer',
    });
    assert.equal(at.events.length, 6);
  });

  it('is at least half a second when the store asks to slow down', async () => {
    await using at = await place();
    const fail = failing(2, () => new TsbkError('store-throttled', 'slow down'));
    const store = at.around({
      stat: async () => {
        fail();
        return undefined;
      },
    });
    await store.stat('a', { signal });
    assert.deepEqual(at.clock.slept, [550, 600]);
  });

  it('stays within the budget and the number of attempts, whatever they are', async () => {
    const policy = fc.record({
      attempts: fc.integer({ min: 1, max: 12 }),
      budgetMs: fc.integer({ min: 0, max: 5000 }),
      baseMs: fc.integer({ min: 1, max: 1000 }),
      capMs: fc.integer({ min: 1, max: 3000 }),
    });
    await fc.assert(
      fc.asyncProperty(policy, fc.double({ min: 0, max: 0.999, noNaN: true }), async (given, r) => {
        await using at = await place();
        let calls = 0;
        const stat = (): Promise<undefined> => {
          calls += 1;
          return Promise.reject(broken());
        };
        const store = at.around({ stat }, { ...given, random: () => r });
        await refuses('store-unreachable', () => store.stat('a', { signal }));
        assert.ok(calls <= given.attempts);
        assert.equal(at.clock.slept.length, calls - 1);
        const slept = at.clock.slept.reduce((sum, ms) => sum + ms, 0);
        assert.ok(slept <= given.budgetMs);
      }),
      { numRuns: 60 },
    );
  });

  it('ends with the signal, whose reason is thrown', async () => {
    await using at = await place();
    const controller = new AbortController();
    const reason = new Error('stop');
    let calls = 0;
    const stat = (): Promise<undefined> => {
      calls += 1;
      controller.abort(reason);
      return Promise.reject(broken());
    };
    const store = at.around({ stat });
    await assert.rejects(
      store.stat('a', { signal: controller.signal }),
      (error) => error === reason,
    );
    assert.equal(calls, 1);
  });

  it('is over when the signal has aborted, even if there were no further attempt', async () => {
    await using at = await place();
    const controller = new AbortController();
    const reason = new Error('stop');
    for (const error of [broken(), new TsbkError('store-denied', 'no')]) {
      const stat = (): Promise<undefined> => {
        controller.abort(reason);
        return Promise.reject(error);
      };
      const store = at.around({ stat }, { attempts: 1 });
      const call = { signal: controller.signal };
      await assert.rejects(store.stat('a', call), (thrown) => thrown === reason);
    }
  });
});

describe('an error', () => {
  for (const error of [new TsbkError('store-denied', 'no'), new TypeError('a bug')]) {
    it(`that does not get better, such as a ${error.name}, is not tried again`, async () => {
      await using at = await place();
      let calls = 0;
      const put = (): Promise<'stored'> => {
        calls += 1;
        return Promise.reject(error);
      };
      await assert.rejects(at.around({ put }).put('a', noise(1), { signal }), error);
      assert.equal(calls, 1);
      assert.deepEqual(at.events, []);
    });
  }
});

describe('a body that breaks', () => {
  it('anywhere, any number of times, is read on to the right bytes', async () => {
    await using at = await place();
    const content = noise(900_000);
    await at.bare.put('a', content, { signal });
    const breaks = fc.array(fc.integer({ min: 0, max: 500_000 }), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(breaks, fc.integer({ min: 0, max: 900_000 }), async (at_, from) => {
        const left = [...at_];
        const store = at.around({
          get: async (key, call) => {
            const blob = await at.bare.get(key, call);
            const limit = left.shift();
            return limit === undefined || blob === undefined
              ? blob
              : { ...blob, body: cut(blob.body, limit) };
          },
        });
        const got = await contentOf(store, 'a', { from });
        assert.deepEqual(got, content.subarray(from));
      }),
      { numRuns: 40 },
    );
  });

  it('without end is given up', async () => {
    await using at = await place();
    await at.bare.put('a', noise(900_000), { signal });
    let opened = 0;
    const store = at.around({
      get: async (key, call) => {
        opened += 1;
        const blob = await at.bare.get(key, call);
        return blob && { ...blob, body: cut(blob.body, 0) };
      },
    });
    await refuses('object-truncated', () => contentOf(store, 'a'));
    assert.equal(opened, 5);
  });

  it('because the object was replaced or removed is corrupt', async () => {
    await using at = await place();
    for (const change of ['replaced', 'removed']) {
      await at.bare.put('a', noise(900_000), { signal });
      const store = at.around({
        get: async (key, call) => {
          const blob = await at.bare.get(key, call);
          return blob && { ...blob, body: cut(blob.body, 300_000) };
        },
      });
      const blob = await store.get('a', { signal });
      if (change === 'removed') await at.bare.remove('a', { signal });
      else await at.bare.put('a', noise(900_000, 2), { signal });
      await refuses('object-corrupt', async () => {
        for await (const chunk of blob?.body ?? []) assert.ok(chunk.length > 0);
      });
    }
  });
});

/** A body that breaks off after so many bytes. */
async function* cut(body: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array> {
  let left = bytes;
  for await (const chunk of body) {
    if (chunk.length > left) {
      if (left > 0) yield chunk.subarray(0, left);
      throw new TsbkError('object-truncated', 'the connection was lost');
    }
    left -= chunk.length;
    yield chunk;
  }
}

describe('a list that breaks', () => {
  it('goes on where it stopped, nothing twice and nothing left out', async () => {
    await using at = await place();
    const keys = ['a/1', 'a/2', 'b.c/1', 'b/1', 'c/1', 'd'];
    for (const key of keys) await at.bare.put(key, noise(1), { signal });
    const uploads: Upload[] = [];
    for (const key of ['u/1', 'u/2']) uploads.push(await at.bare.upload(key, { signal }));
    for (const most of [0, 1, 2, 3]) {
      const [list, folders, unfinished] = [most, most, most].map(breakingOnce);
      assert.ok(list && folders && unfinished);
      const store = at.around({
        list: (prefix, call) => list(at.bare.list(prefix, call)),
        folders: (prefix, call) => folders(at.bare.folders(prefix, call)),
        unfinished: (prefix, call) => unfinished(at.bare.unfinished(prefix, call)),
      });
      assert.deepEqual(await keysOf(store), keys);
      assert.deepEqual(await foldersOf(store), ['a', 'b.c', 'b', 'c']);
      assert.deepEqual(await unfinishedOf(store), ['u/1', 'u/2']);
    }
    assert.equal(at.events.length, 4 + 4 + 2);
    for (const upload of uploads) await upload.abort({ signal });
  });
});

/** Makes a list that is opened for the first time break off after so many items. */
function breakingOnce(most: number): <T>(items: AsyncIterable<T>) => AsyncGenerator<T> {
  let isFirst = true;
  return async function* (items) {
    const breaks = isFirst;
    isFirst = false;
    let left = most;
    for await (const item of items) {
      if (breaks && left === 0) throw broken();
      left -= 1;
      yield item;
    }
  };
}

describe('a put if absent whose answer is lost', () => {
  it('is ours if the content is', async () => {
    await using at = await place();
    const lose = failing(1);
    const store = at.around({
      put: async (key, bytes, call) => {
        const outcome = await at.bare.put(key, bytes, call);
        lose();
        return outcome;
      },
    });
    assert.equal(await store.put('a', noise(300_000), { signal, ifAbsent: true }), 'stored');
  });

  for (const other of [noise(300_000, 2), noise(299_999), noise(300_001), noise(0)]) {
    it(`is not ours if the content is another, of ${other.length} bytes`, async () => {
      await using at = await place();
      await at.bare.put('a', other, { signal });
      const lose = failing(1);
      const store = at.around({
        put: async (key, bytes, call) => {
          lose();
          return at.bare.put(key, bytes, call);
        },
      });
      assert.equal(await store.put('a', noise(300_000), { signal, ifAbsent: true }), 'exists');
      assert.deepEqual(await contentOf(at.bare, 'a'), other);
    });
  }

  it('and which left other bytes is an error, not somebody else', async () => {
    await using at = await place();
    const lose = failing(1, () => new TsbkError('store-corrupt-write', 'it is not what was sent'));
    const store = at.around({
      put: async (key, bytes, call) => {
        const outcome = await at.bare.put(key, noise(bytes.length, 5), call);
        lose();
        return outcome;
      },
    });
    const put = store.put('a', noise(10), { signal, ifAbsent: true });
    await assert.rejects(put, (error) => isTsbkError(error, 'store-corrupt-write'));
  });

  it('and which met an object of another is not looked at without a failure before', async () => {
    await using at = await place();
    await at.bare.put('a', noise(10), { signal });
    const store = at.around({ get: () => assert.fail('read the object') });
    assert.equal(await store.put('a', noise(10), { signal, ifAbsent: true }), 'exists');
  });
});

describe('an upload', () => {
  it('is tried again step by step', async () => {
    await using at = await place();
    const [begin, part, complete] = [failing(2), failing(2), failing(2)];
    const store = at.around({
      upload: async (key, call) => {
        begin();
        const upload = await at.bare.upload(key, call);
        return {
          part: async (sent, partCall) => {
            await upload.part(sent, partCall);
            part();
          },
          complete: async (completeCall) => {
            const outcome = await upload.complete(completeCall);
            complete();
            return outcome;
          },
          abort: (abortCall) => upload.abort(abortCall),
        };
      },
    });
    const upload = await store.upload('a', { signal, ifAbsent: true });
    await upload.part({ number: 1, offset: 0, bytes: noise(100) }, { signal });
    assert.equal(await upload.complete({ signal }), 'stored');
    assert.deepEqual(await contentOf(at.bare, 'a'), noise(100));
    const whats = at.events.map((event) => (event.kind === 'retry' ? event.what : event.kind));
    assert.deepEqual(new Set(whats), new Set(['begin a', 'send part 1 of a', 'complete a']));
  });
});
