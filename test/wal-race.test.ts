/** Pushes of one WAL name at the same moment, with several codecs, in whatever order their requests come. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import fc from 'fast-check';
import { codecByName } from '@tsbk/core/codec/codecs';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import type { BlobStore } from '@tsbk/core/ports/blob-store';
import { openWal, storeWal } from '@tsbk/core/repository/wal-archive';
import { collect } from '@tsbk/core/stream/collect';
import { sourceOf } from '@tsbk/core/stream/source';
import { openDirectory } from './support/walg-cases.ts';

const NAME = '000000010000000000000001';
const { signal } = new AbortController();

interface Push {
  readonly codec: 'lz4' | 'zstd' | 'brotli';
  readonly content: string;
  /** Whether it was told that nobody has archived this, which may be outdated. */
  readonly isNew: boolean;
}

/** Who waits for the store, and lets one request through at a time, in the order of `choices`. */
class Turns {
  readonly #waiting: (() => void)[] = [];
  #atWork = 0;

  async take<T>(call: () => Promise<T>): Promise<T> {
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await call();
    } finally {
      this.#atWork -= 1;
    }
  }

  async run(choices: readonly number[], until: Promise<unknown>): Promise<void> {
    let isOver = false;
    void until.finally(() => (isOver = true));
    for (let turn = 0; !isOver;) {
      await turnOfTheLoop();
      if (this.#atWork > 0 || this.#waiting.length === 0) continue;
      const choice = choices[turn % choices.length] ?? 0;
      turn += 1;
      this.#atWork += 1;
      this.#waiting.splice(choice % this.#waiting.length, 1)[0]?.();
    }
  }
}

function takingTurns(store: BlobStore, turns: Turns): BlobStore {
  return {
    ...store,
    stat: (key, options) => turns.take(() => store.stat(key, options)),
    get: (key, options) => turns.take(() => store.get(key, options)),
    put: (key, bytes, options) => turns.take(() => store.put(key, bytes, options)),
    confirm: (key, options) => turns.take(() => store.confirm(key, options)),
  };
}

async function push(root: string, { codec, content, isNew }: Push, turns: Turns): Promise<boolean> {
  const opened = await openDirectory(root);
  const store = takingTurns(opened.store, turns);
  const writeCodec = codecByName(codec);
  try {
    const source = () => sourceOf(Buffer.from(content));
    await storeWal({ ...opened, store, writeCodec }, { name: NAME, source, isNew }, { signal });
    return true;
  } catch (error) {
    assert.ok(isTsbkError(error, 'wal-conflict'), String(error));
    return false;
  }
}

/** Contents under all keys. */
async function archived(root: string): Promise<string[]> {
  const opened = await openDirectory(root);
  const files = readdirSync(join(root, 'wal_005')).filter((file) => !file.endsWith('.sha256'));
  const contents = files.map(async (file) => {
    const walExtensions = [file.slice(NAME.length + 1)];
    const found = await openWal({ ...opened, walExtensions }, NAME, { signal });
    assert.ok(found !== undefined);
    return (await collect(found.content, { maxBytes: 100, what: file })).toString();
  });
  return await Promise.all(contents);
}

const pushes = fc.array(
  fc.record<Push>({
    codec: fc.constantFrom('lz4', 'zstd', 'brotli'),
    content: fc.constantFrom('one history', 'another'),
    isNew: fc.boolean(),
  }),
  { minLength: 2, maxLength: 4 },
);
const choices = fc.array(fc.nat(1000), { minLength: 40, maxLength: 40 });

it('pushes of one WAL name are never told of success with different contents', async () => {
  await fc.assert(
    fc.asyncProperty(pushes, choices, async (given, order) => {
      const root = mkdtempSync(join(tmpdir(), 'tsbk-race-'));
      try {
        const acknowledged = new Set<string>();
        // PostgreSQL offers again what was refused, and what it was not told of.
        for (let round = 0; round < 2; round += 1) {
          const turns = new Turns();
          const all = Promise.all(given.map((each) => push(root, each, turns)));
          await turns.run(order, all);
          const outcomes = await all;
          const done = given.filter((_, index) => outcomes[index]);
          for (const { content } of done) acknowledged.add(content);
          const kept = await archived(root);
          assert.ok(acknowledged.size <= 1, [...acknowledged].join(' and '));
          for (const content of acknowledged) assert.ok(kept.includes(content));
        }
        if (new Set(given.map(({ content }) => content)).size === 1) {
          assert.equal(acknowledged.size, 1);
        }
      } finally {
        rmSync(root, { recursive: true });
      }
    }),
    { numRuns: 120 },
  );
});
