import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openLanes, type OpenedLanes } from '@tsbk/core/engine/open-lanes';
import { openRepository, type OpenedRepository } from '@tsbk/core/engine/open-repository';
import { isTsbkError, TsbkError } from '@tsbk/core/kernel/errors';
import { SlabWriter } from '@tsbk/core/lanes/slab-writer';
import { LaneThread, SLAB_BYTES, SLABS, type LaneRun } from '@tsbk/core/lanes/thread';
import type { ByteSource } from '@tsbk/core/ports/bytes';
import type { ReportEvent } from '@tsbk/core/ports/report';
import { openObject } from '@tsbk/core/repository/read-object';
import { loadSettings } from '@tsbk/core/settings/load';
import { collect } from '@tsbk/core/stream/collect';
import { sampleBytes } from '@tsbk/core/stream/sample-bytes';
import { chunked } from '@tsbk/core/stream/chunked';
import { sourceOf } from '@tsbk/core/stream/source';
import { sendAll, writeThrough } from './support/write-through.ts';
import { tempDirectory } from './support/temp-directory.ts';

const { signal } = new AbortController();
const MIB = 1024 ** 2;
const KEY = 'e4a2f1c09b8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e2f';

interface Site extends AsyncDisposable {
  readonly repository: OpenedRepository;
  readonly lanes: OpenedLanes;
  readonly events: readonly ReportEvent[];
  content(key: string): Promise<Buffer>;
  /** Everything in the store, and everything begun there. */
  keys(): Promise<string[]>;
}

async function openSite(env: Readonly<Record<string, string>>): Promise<Site> {
  const directory = await tempDirectory();
  const settings = loadSettings({
    env: { TSBK_FILE_PREFIX: directory.path, ...env },
    flags: {},
    machine: { cores: 2 },
  });
  const events: ReportEvent[] = [];
  const report = (event: ReportEvent): void => void events.push(event);
  const repository = await openRepository(settings, { signal, report });
  const lanes = openLanes(settings, repository, { report });
  const keys = async (): Promise<string[]> => {
    const found: string[] = [];
    for await (const { key } of repository.store.list('', { signal })) found.push(key);
    for await (const { key } of repository.store.unfinished('', { signal })) found.push(`${key}*`);
    return found;
  };
  return {
    repository,
    lanes,
    events,
    keys,
    content: async (key) => {
      const opened = await openObject(repository, key, repository.writeCodec.extension, { signal });
      assert.ok(opened, key);
      return await collect(opened.content, { maxBytes: 64 * MIB, what: key });
    },
    [Symbol.asyncDispose]: async () => {
      await lanes[Symbol.asyncDispose]();
      await repository[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

/** Counts what is pulled from it, and whether it was left. */
function watched(bytes: number, failure?: Error) {
  const state = { pulled: 0, left: false };
  async function* chunks(): ByteSource {
    try {
      for (; state.pulled < bytes; state.pulled += 64 * 1024) {
        yield sampleBytes('noise', 64 * 1024, state.pulled + 1);
      }
      if (failure !== undefined) throw failure;
    } finally {
      state.left = true;
    }
  }
  return { state, source: chunks() };
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 500 && !condition(); tries += 1) await sleep(10);
  assert.ok(condition());
}

const WAYS = [
  { lanes: '2', codec: 'lz4', key: undefined },
  { lanes: '2', codec: 'zstd', key: KEY },
  { lanes: '1', codec: 'brotli', key: undefined },
  { lanes: '2', codec: 'none', key: KEY },
  { lanes: '0', codec: 'lz4', key: undefined },
];

for (const { lanes, codec, key } of WAYS) {
  const env = {
    TSBK_LANES: lanes,
    TSBK_COMPRESSION_METHOD: codec,
    ...(key === undefined ? {} : { TSBK_LIBSODIUM_KEY: key, TSBK_LIBSODIUM_KEY_TRANSFORM: 'hex' }),
  };
  describe(`${lanes} lanes with ${codec}${key === undefined ? '' : ', encrypted'}`, () => {
    it('store what they are given, several at once', async () => {
      await using site = await openSite(env);
      const given = [0, 1, 3 * MIB + 17, 700_000, 5 * MIB].map((length, index) => ({
        key: `part_${index}`,
        bytes: sampleBytes('mixed', length, index + 1),
      }));
      const receipts = await Promise.all(
        given.map(({ key: name, bytes }) =>
          writeThrough(site.lanes, { key: name, source: chunked(bytes, [50_000]) }, { signal }),
        ),
      );
      for (const [index, { bytes }] of given.entries()) {
        const receipt = receipts[index];
        assert.ok(receipt);
        assert.equal(receipt.plain.bytes, bytes.length);
        const info = await site.repository.store.stat(receipt.key, { signal });
        assert.equal(info?.bytes, receipt.stored.bytes);
        assert.ok((await site.content(receipt.key)).equals(bytes), receipt.key);
      }
    });

    it('reject with what the source throws, and leave nothing', async () => {
      await using site = await openSite(env);
      const failure = new TypeError('the source broke');
      const { source } = watched(4 * MIB, failure);
      await assert.rejects(
        writeThrough(site.lanes, { key: 'a', source }, { signal }),
        (error) => error === failure,
      );
      assert.deepEqual(await site.keys(), []);
      // The lane is as good as before.
      const { key: stored } = await writeThrough(
        site.lanes,
        { key: 'b', source: sourceOf(Buffer.from('b')) },
        { signal },
      );
      assert.equal((await site.content(stored)).toString(), 'b');
    });

    it('reject with the reason of an abort, and leave nothing', async () => {
      await using site = await openSite(env);
      const stop = new AbortController();
      const { source, state } = watched(Number.MAX_SAFE_INTEGER);
      const written = writeThrough(site.lanes, { key: 'a', source }, { signal: stop.signal });
      await until(() => state.pulled > 8 * MIB);
      const reason = new TsbkError('interrupted', 'enough');
      stop.abort(reason);
      await assert.rejects(written, (error) => error === reason);
      assert.deepEqual(await site.keys(), []);
      await until(() => state.left);
    });

    it('reject what is written after an abort that came before they began', async () => {
      await using site = await openSite(env);
      const stop = new AbortController();
      const writer = site.lanes.open('a', { signal: stop.signal });
      const reason = new TsbkError('interrupted', 'at once');
      stop.abort(reason);
      const written = (async () => {
        for (;;) await writer.write(Buffer.alloc(SLAB_BYTES));
      })();
      await assert.rejects(written, (error) => error === reason);
      await writer.fail(reason);
    });

    it('never replace an object', async () => {
      await using site = await openSite(env);
      await writeThrough(
        site.lanes,
        { key: 'a', source: sourceOf(Buffer.from('first')) },
        { signal },
      );
      await assert.rejects(
        writeThrough(site.lanes, { key: 'a', source: sourceOf(Buffer.from('second')) }, { signal }),
        (error) => isTsbkError(error, 'object-exists') && error.hint !== undefined,
      );
    });

    it('pull no more than they can hold while the store takes nothing', async () => {
      await using site = await openSite({
        ...env,
        TSBK_FAILPOINT: 'upload:1:hang',
        TSBK_S3_MAX_PART_SIZE: '5MiB',
      });
      const stop = new AbortController();
      const { source, state } = watched(Number.MAX_SAFE_INTEGER);
      const key = 'a';
      const written = writeThrough(site.lanes, { key, source }, { signal: stop.signal });
      let before = -1;
      for (; before !== state.pulled; await sleep(300)) before = state.pulled;
      // The compressor and the first part of the upload hold some, too.
      const most = SLABS * SLAB_BYTES + (5 + 3) * MIB;
      assert.ok(state.pulled < most, `${state.pulled} bytes were pulled`);
      stop.abort(new Error('enough'));
      void written.catch(() => undefined);
    });
  });
}

it('a lane tells of what it tries again', async () => {
  await using site = await openSite({ TSBK_LANES: '1', TSBK_FAILPOINT: 'put:1:throw' });
  const source = sourceOf(Buffer.from('x'));
  await assert.rejects(writeThrough(site.lanes, { key: 'a', source }, { signal }), (error) =>
    isTsbkError(error, 'store-failed'),
  );
});

describe('a thread', () => {
  const entry = new URL('./support/lane-entry.ts', import.meta.url);
  const open = () => {
    const thread = new LaneThread({ entry, setup: undefined, report: () => undefined });
    return { thread, [Symbol.asyncDispose]: () => thread.close() };
  };
  const run = { input: undefined, signal };
  /** Has the thread do a task with the source's bytes. */
  const send = (
    thread: LaneThread,
    task: Pick<LaneRun, 'task' | 'onBatch'>,
    source: ByteSource,
  ): Promise<unknown> => {
    const begin = async (writer: SlabWriter<unknown>): Promise<unknown> =>
      await thread.run({ ...run, ...task, writer });
    return sendAll(new SlabWriter(begin, () => undefined), source);
  };

  for (const task of ['exit', 'crash']) {
    it(`that ends by ${task} is an error, then and later`, async () => {
      await using opened = open();
      const { source } = watched(Number.MAX_SAFE_INTEGER);
      const lost = (error: unknown): boolean => isTsbkError(error, 'lane-lost');
      await assert.rejects(send(opened.thread, { task }, source), lost);
      assert.equal(opened.thread.isAlive, false);
      await assert.rejects(opened.thread.run({ ...run, task: 'count' }), lost);
    });
  }

  it('carries errors with code, hint, cause and place', async () => {
    await using opened = open();
    await assert.rejects(opened.thread.run({ ...run, task: 'refuse' }), (error) => {
      assert.ok(isTsbkError(error, 'store-full'));
      assert.equal(error.message, 'no space');
      assert.equal(error.hint, 'make some');
      assert.ok(error.cause instanceof Error && error.cause.message === 'ENOSPC');
      assert.match(error.stack ?? '', /lane-entry/);
      return true;
    });
  });

  it('tells of batches in order, before its result', async () => {
    await using opened = open();
    const { source } = watched(8 * MIB);
    const seen: unknown[] = [];
    const onBatch = (batch: unknown): void => void seen.push(batch);
    const counted = await send(opened.thread, { task: 'count', onBatch }, source);
    assert.equal(counted, 8 * MIB);
    assert.deepEqual(
      seen,
      Array.from({ length: (8 * MIB) / SLAB_BYTES }, (_, i) => (i + 1) * SLAB_BYTES),
    );
  });

  it('fails with what the taker of a batch throws', async () => {
    await using opened = open();
    const failure = new Error('not this one');
    const { source } = watched(8 * MIB);
    const onBatch = (): void => {
      throw failure;
    };
    await assert.rejects(
      send(opened.thread, { task: 'count', onBatch }, source),
      (error) => error === failure,
    );
  });

  it('is ended while it is at a task, if nobody waits for that', async () => {
    const opened = open();
    const waiting = assert.rejects(opened.thread.run({ ...run, task: 'readNothing' }), (error) =>
      isTsbkError(error, 'lane-lost'),
    );
    await opened[Symbol.asyncDispose]();
    await waiting;
  });
});
