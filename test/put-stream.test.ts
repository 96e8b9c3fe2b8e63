import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isTsbkError, TsbkError } from '@tsbk/core/kernel/errors';
import type { BlobStore, Upload } from '@tsbk/core/ports/blob-store';
import type { ByteSource } from '@tsbk/core/ports/bytes';
import { openFileStore } from '@tsbk/core/storage/file/open';
import { sourceOf } from '@tsbk/core/stream/source';
import { putStream } from '@tsbk/core/repository/put-stream';
import { realClock } from './support/clock.ts';
import { tempDirectory } from './support/temp-directory.ts';

const signal = new AbortController().signal;

interface Place extends AsyncDisposable {
  readonly path: string;
  readonly store: BlobStore;
}

async function place(): Promise<Place> {
  const directory = await tempDirectory();
  return {
    path: directory.path,
    store: openFileStore({ root: directory.path }, { clock: realClock }),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

/** `store` with one operation of its uploads changed. */
function withUpload(store: BlobStore, change: (upload: Upload) => Partial<Upload>): BlobStore {
  return {
    ...store,
    upload: async (key, options) => {
      const upload = await store.upload(key, options);
      return { ...upload, ...change(upload) };
    },
  };
}

const options = { signal, partBytes: 10, partsInFlight: 3 };

describe('putStream', () => {
  it('stores any source, in chunks of any size, with parts of any size', async () => {
    await using at = await place();
    const chunks = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 12 });
    const sizes = fc.record({
      partBytes: fc.integer({ min: 1, max: 60 }),
      partsInFlight: fc.integer({ min: 1, max: 5 }),
    });
    await fc.assert(
      fc.asyncProperty(chunks, sizes, async (given, size) => {
        const whole = Buffer.concat(given);
        const result = await putStream(at.store, 'a', sourceOf(...given), { signal, ...size });
        assert.deepEqual(result, { outcome: 'stored', bytes: whole.length });
        assert.deepEqual(await readFile(join(at.path, 'a')), whole);
      }),
      { numRuns: 60 },
    );
  });

  it('puts a short source in one request', async () => {
    await using at = await place();
    const store: BlobStore = { ...at.store, upload: () => assert.fail('began an upload') };
    const source = sourceOf(Buffer.from('123'), Buffer.from('456789'));
    assert.deepEqual(await putStream(store, 'a', source, options), { outcome: 'stored', bytes: 9 });
    assert.deepEqual(await putStream(store, 'b', sourceOf(), options), {
      outcome: 'stored',
      bytes: 0,
    });
  });

  it('uses the memory of one object for the next, also where objects are shorter than a part', async () => {
    await using at = await place();
    const memory = new Set<ArrayBufferLike>();
    const store: BlobStore = {
      ...at.store,
      put: (key, bytes, put) => {
        memory.add(bytes.buffer);
        return at.store.put(key, bytes, put);
      },
    };
    const sizes = { partBytes: 2_000_000, partsInFlight: 1, expectedBytes: 1_000_000 };
    const shared = { signal, ...sizes, partBuffers: [] };
    for (const [key, bytes] of Object.entries({ a: 900_000, b: 1, c: 1_000_000, d: 999 })) {
      // What is sent is released.
      await putStream(store, key, sourceOf(Buffer.alloc(bytes, key)), shared);
      assert.ok((await readFile(join(at.path, key))).equals(Buffer.alloc(bytes, key)));
    }
    assert.equal(memory.size, 1);
  });

  it('sends no more parts at once than allowed, and does use what is allowed', async () => {
    await using at = await place();
    let running = 0;
    let most = 0;
    const store = withUpload(at.store, (upload) => ({
      part: async (part, call) => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
        await upload.part(part, call);
        running -= 1;
      },
    }));
    await putStream(store, 'a', sourceOf(Buffer.alloc(400)), options);
    assert.equal(most, 3);
  });

  it('tells that the object exists and leaves it alone', async () => {
    await using at = await place();
    await at.store.put('a', Buffer.from('old'), { signal });
    for (const bytes of [5, 500]) {
      const source = sourceOf(Buffer.alloc(bytes));
      const result = await putStream(at.store, 'a', source, { ...options, ifAbsent: true });
      assert.deepEqual(result, { outcome: 'exists', bytes });
    }
    assert.equal(await readFile(join(at.path, 'a'), 'utf8'), 'old');
    assert.deepEqual(await readdir(at.path), ['a']);
  });

  it('leaves nothing when the source fails', async () => {
    await using at = await place();
    const failing = async function* (): ByteSource {
      yield Buffer.alloc(35);
      throw new Error('the source broke');
    };
    await assert.rejects(putStream(at.store, 'a', failing(), options), /the source broke/);
    assert.deepEqual(await readdir(at.path), []);
  });

  it('leaves nothing when a part fails, and does not wait for the source', async () => {
    await using at = await place();
    let left = false;
    const stuck = async function* (): ByteSource {
      try {
        yield Buffer.alloc(25);
        await new Promise(() => {});
      } finally {
        left = true;
      }
    };
    const store = withUpload(at.store, (upload) => ({
      part: async (part, call) => {
        await upload.part(part, call);
        if (part.number === 2) throw new TsbkError('store-full', 'no space');
      },
    }));
    await assert.rejects(putStream(store, 'a', stuck(), options), (error) =>
      isTsbkError(error, 'store-full'),
    );
    assert.deepEqual(await readdir(at.path), []);
    assert.equal(left, false);
  });

  it('waits for the parts on their way before it fails', async () => {
    await using at = await place();
    let running = 0;
    const store = withUpload(at.store, () => ({
      part: async (part) => {
        running += 1;
        if (part.number !== 1) {
          await new Promise((resolve) => {
            setTimeout(resolve, 200);
          });
        }
        running -= 1;
        if (part.number === 1) throw new TsbkError('store-full', 'no space');
      },
    }));
    await assert.rejects(putStream(store, 'a', sourceOf(Buffer.alloc(35)), options), /no space/);
    assert.equal(running, 0);
  });

  it('leaves the source when a part fails', async () => {
    await using at = await place();
    let left = false;
    const endless = async function* (): ByteSource {
      try {
        for (;;) yield Buffer.alloc(25);
      } finally {
        left = true;
      }
    };
    const store = withUpload(at.store, () => ({
      part: () => Promise.reject(new TsbkError('store-full', 'no space')),
    }));
    await assert.rejects(putStream(store, 'a', endless(), options), /no space/);
    assert.equal(left, true);
  });

  it('leaves nothing when the signal aborts, and throws its reason', async () => {
    await using at = await place();
    const controller = new AbortController();
    const reason = new Error('enough');
    const source = async function* (): ByteSource {
      yield Buffer.alloc(35);
      controller.abort(reason);
      await new Promise(() => {});
    };
    const call = { ...options, signal: controller.signal };
    await assert.rejects(putStream(at.store, 'a', source(), call), (error) => error === reason);
    assert.deepEqual(await readdir(at.path), []);
  });

  it('throws what failed, not what failed while cleaning up', async () => {
    await using at = await place();
    const store = withUpload(at.store, (upload) => ({
      complete: () => Promise.reject(new TsbkError('store-denied', 'may not complete')),
      abort: async (call) => {
        await upload.abort(call);
        throw new TsbkError('store-denied', 'may not abort');
      },
    }));
    const stored = putStream(store, 'a', sourceOf(Buffer.alloc(50)), options);
    await assert.rejects(stored, /may not complete/);
  });

  it('grows its parts so that a long object fits, and refuses a longer one', async () => {
    await using at = await place();
    const limits = { partBytesMin: 1, partBytesMax: 1000, partsMax: 20, objectBytesMax: 4000 };
    const store: BlobStore = { ...at.store, limits };
    const longest = await putStream(store, 'a', sourceOf(Buffer.alloc(4000, 7)), options);
    assert.equal(longest.bytes, 4000);
    assert.deepEqual(await readFile(join(at.path, 'a')), Buffer.alloc(4000, 7));
    await assert.rejects(putStream(store, 'b', sourceOf(Buffer.alloc(9000)), options), (error) =>
      isTsbkError(error, 'store-failed'),
    );
    assert.deepEqual(await readdir(at.path), ['a']);
  });
});
