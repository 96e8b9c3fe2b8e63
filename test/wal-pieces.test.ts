/** Pieces of open segments: what they prove, and what they do not. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { toSystemId } from '@tsbk/core/kernel/system-id';
import type { Repository } from '@tsbk/core/repository/repository';
import { openPieces, removePieces, segmentsWithPieces } from '@tsbk/core/repository/wal-pieces';
import { writePiece } from '@tsbk/core/repository/wal-piece';
import { collect } from '@tsbk/core/stream/collect';
import { sourceOf } from '@tsbk/core/stream/source';
import { tempDirectory, type TempDirectory } from './support/temp-directory.ts';
import { openDirectory } from './support/walg-cases.ts';
import { segmentContent, segmentName, SYSTEM_ID } from './support/wal-file.ts';

const MIB = 1024 * 1024;
const { signal } = new AbortController();
const systemId = toSystemId(SYSTEM_ID);

let directory: TempDirectory;
let repository: Repository;
let names = 1;

before(async () => {
  directory = await tempDirectory();
  repository = await openDirectory(directory.path);
});
after(() => directory[Symbol.asyncDispose]());

/** A name that no test had before. */
function freshSegment(): string {
  names += 1;
  return segmentName(names);
}

async function store(
  content: Buffer,
  segment: string,
  piece: { readonly run: string; readonly from: number; readonly to: number },
): Promise<void> {
  const data = content.subarray(piece.from, piece.to);
  await writePiece(
    repository,
    { ...piece, segment, segmentBytes: MIB, systemId, data },
    { signal },
  );
}

const runOf = (n: number): string => n.toString(16).padStart(16, '0');

describe('pieces of a segment', () => {
  test('prove the longest beginning that one run has without a gap, and zeros follow', async () => {
    const offset = fc.integer({ min: 0, max: 20 }).map((n) => n * 4096);
    const piece = fc.record({ run: fc.integer({ min: 1, max: 2 }), a: offset, b: offset });
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async (asked) => {
        const segment = freshSegment();
        const content = segmentContent(segment);
        const pieces = asked
          .map(({ run, a, b }) => ({ run: runOf(run), from: Math.min(a, b), to: Math.max(a, b) }))
          .filter(({ from, to }) => from < to);
        for (const each of pieces) await store(content, segment, each);
        const expected = Math.max(0, ...[1, 2].map((run) => reach(pieces, runOf(run))));
        const prefix = await openPieces(repository, segment, { signal });
        assert.equal(prefix?.bytes ?? 0, expected);
        if (prefix === undefined) return;
        assert.equal(prefix.isDisputed, false);
        const bytes = await collect(prefix.content(), { maxBytes: MIB, what: segment });
        const whole = Buffer.alloc(MIB);
        content.copy(whole, 0, 0, expected);
        assert.ok(bytes.equals(whole));
      }),
      { numRuns: 25 },
    );
  });

  test('of two histories are never mixed: the longer one is given, and that they differ is said', async () => {
    const segment = freshSegment();
    const ours = segmentContent(segment, { seed: 'ours' });
    const theirs = segmentContent(segment, { seed: 'theirs' });
    await store(ours, segment, { run: runOf(1), from: 0, to: 20_000 });
    await store(theirs, segment, { run: runOf(2), from: 0, to: 30_000 });
    await store(ours, segment, { run: runOf(1), from: 20_000, to: 40_000 });
    const prefix = await openPieces(repository, segment, { signal });
    assert.equal(prefix?.isDisputed, true);
    assert.equal(prefix.bytes, 40_000);
    const bytes = await collect(prefix.content(), { maxBytes: MIB, what: segment });
    assert.ok(bytes.subarray(0, 40_000).equals(ours.subarray(0, 40_000)));
  });

  test('that are damaged end what is proven, and another run is taken that goes further', async () => {
    const segment = freshSegment();
    const content = segmentContent(segment);
    await store(content, segment, { run: runOf(1), from: 0, to: 10_000 });
    await store(content, segment, { run: runOf(1), from: 10_000, to: 50_000 });
    await store(content, segment, { run: runOf(2), from: 0, to: 20_000 });
    damage(segment, /^00002710-/);
    const prefix = await openPieces(repository, segment, { signal });
    assert.equal(prefix?.bytes, 20_000);
    assert.equal(prefix.unproven.length, 1);
  });

  test('that come damaged twice are read again, because an answer can be damaged on its way', async () => {
    const segment = freshSegment();
    await store(segmentContent(segment), segment, { run: runOf(1), from: 0, to: 50_000 });
    let reads = 0;
    const get: typeof repository.store.get = async (...given) => {
      const blob = await repository.store.get(...given);
      reads += 1;
      return blob && reads <= 2 ? { ...blob, body: sourceOf(Buffer.from('damaged')) } : blob;
    };
    const damaging = { ...repository, store: { ...repository.store, get } };
    const prefix = await openPieces(damaging, segment, { signal });
    assert.deepEqual([prefix?.bytes, reads], [50_000, 3]);
  });

  test('that are damaged, and those behind them, are not removed with what is proven', async () => {
    const segment = freshSegment();
    const content = segmentContent(segment);
    for (const [from, to] of [
      [0, 9000],
      [9000, 10_000],
      [10_000, 30_000],
    ] as const) {
      await store(content, segment, { run: runOf(1), from, to });
    }
    const folder = join(directory.path, 'tsbk_wal_pieces', segment);
    const [, ...behind] = readdirSync(folder).sort();
    damage(segment, /^00002328-/);
    const prefix = await openPieces(repository, segment, { signal });
    assert.equal(prefix?.bytes, 9000);
    await prefix.remove({ signal });
    assert.deepEqual(readdirSync(folder).sort(), behind);
  });

  test('under another name than their own prove nothing', async () => {
    const segment = freshSegment();
    const content = segmentContent(segment);
    await store(content, segment, { run: runOf(1), from: 0, to: 10_000 });
    const folder = join(directory.path, 'tsbk_wal_pieces', segment);
    const [name = ''] = readdirSync(folder);
    const bytes = readFileSync(join(folder, name));
    writeFileSync(
      join(folder, name.replace(runOf(1), runOf(3)).replace('00002710', '00002711')),
      bytes,
    );
    const prefix = await openPieces(repository, segment, { signal });
    assert.equal(prefix?.bytes, 10_000);
  });

  test('are compressed and encrypted like everything else', async () => {
    await using other = await tempDirectory();
    const secret = await openDirectory(other.path, { WALG_LIBSODIUM_KEY: 'ab'.repeat(32) });
    const segment = freshSegment();
    const data = Buffer.alloc(100_000, 'a secret that must not be seen ');
    const piece = { segment, run: runOf(1), from: 0, to: data.length, segmentBytes: MIB, systemId };
    const { key } = await writePiece(secret, { ...piece, data }, { signal });
    const stored = readFileSync(join(other.path, key));
    assert.ok(stored.length < 20_000 && !stored.includes('a secret'));
    const prefix = await openPieces(secret, segment, { signal });
    assert.equal(prefix?.bytes, data.length);
  });

  test('are found by their segments, and gone when they were removed', async () => {
    const segment = freshSegment();
    await store(segmentContent(segment), segment, { run: runOf(1), from: 0, to: 9000 });
    const find = async (): Promise<boolean> => {
      for await (const name of segmentsWithPieces(repository, { signal })) {
        if (name === segment) return true;
      }
      return false;
    };
    assert.equal(await find(), true);
    await removePieces(repository, { segment, run: runOf(2) }, { signal });
    assert.equal(await find(), true, 'those of another run stay');
    await removePieces(repository, { segment, run: runOf(1) }, { signal });
    assert.equal(await find(), false);
    assert.equal(await openPieces(repository, segment, { signal }), undefined);
  });

  test('are removed from the end, so that who is killed in between leaves what can be proven', async () => {
    for (const how of ['of a run', 'judged'] as const) {
      const segment = freshSegment();
      const content = segmentContent(segment);
      const ends = [0, 9000, 10_000, 30_000];
      for (const [at, to] of ends.slice(1).entries()) {
        await store(content, segment, { run: runOf(1), from: ends[at] ?? 0, to });
      }
      await store(content, segment, { run: runOf(1), from: 0, to: 10_000 });
      const left: (number | undefined)[] = [];
      const remove: typeof repository.store.remove = async (...given) => {
        await repository.store.remove(...given);
        left.push((await openPieces(repository, segment, { signal }))?.bytes);
      };
      const watched = { ...repository, store: { ...repository.store, remove } };
      if (how === 'of a run') await removePieces(watched, { segment, run: runOf(1) }, { signal });
      else await (await openPieces(watched, segment, { signal }))?.remove({ signal });
      assert.deepEqual(left, [10_000, 10_000, 9000, undefined]);
    }
  });

  test('that came after they were judged are not removed with those that were', async () => {
    const segment = freshSegment();
    const content = segmentContent(segment);
    await store(content, segment, { run: runOf(1), from: 0, to: MIB });
    const prefix = await openPieces(repository, segment, { signal });
    await store(content, segment, { run: runOf(2), from: 0, to: 9000 });
    await prefix?.remove({ signal });
    assert.equal((await openPieces(repository, segment, { signal }))?.bytes, 9000);
  });

  test('are listed once where they prove the whole, and again where more may have come', async () => {
    const listings = async (to: number): Promise<number> => {
      const segment = freshSegment();
      await store(segmentContent(segment), segment, { run: runOf(1), from: 0, to });
      let count = 0;
      const list: typeof repository.store.list = (...given) => {
        count += 1;
        return repository.store.list(...given);
      };
      const counted = { ...repository, store: { ...repository.store, list } };
      const prefix = await openPieces(counted, segment, { signal });
      assert.equal(prefix?.bytes, to);
      return count;
    };
    assert.deepEqual([await listings(MIB), await listings(9000)], [1, 2]);
  });
});

/** How far a run's pieces go, worked out byte range by byte range. */
function reach(
  pieces: readonly { readonly run: string; readonly from: number; readonly to: number }[],
  run: string,
): number {
  let end = 0;
  for (let rounds = 0; rounds <= pieces.length; rounds += 1) {
    for (const piece of pieces) {
      if (piece.run === run && piece.from <= end) end = Math.max(end, piece.to);
    }
  }
  return end;
}

/** Changes one byte in the middle of an object. */
function damage(segment: string, name: RegExp): void {
  const folder = join(directory.path, 'tsbk_wal_pieces', segment);
  const found = readdirSync(folder).find((each) => name.test(each));
  assert.ok(found !== undefined);
  const path = join(folder, found);
  const bytes = readFileSync(path);
  const at = bytes.length >> 1;
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  writeFileSync(path, bytes);
}
