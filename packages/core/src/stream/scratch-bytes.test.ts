import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import { scratchBytes } from './scratch-bytes.ts';

const directory = mkdtempSync(join(tmpdir(), 'tsbk-scratch-'));
after(() => rmSync(directory, { recursive: true }));

const MIB = 1024 * 1024;

test('scratch bytes are read again anywhere, in memory, in the file and between the two', async () => {
  await using scratch = scratchBytes({ directory, memoryBytesMax: 2 * MIB });
  const all = Buffer.alloc(5 * MIB + 1000);
  for (let at = 0; at < all.length; at += 4) all.writeUInt32LE(at, at);
  for (let at = 0; at < all.length;) {
    const piece = all.subarray(at, at + 300_001);
    await scratch.append(piece);
    at += piece.length;
    const from = Math.max(at - 400_000, 0);
    assert.ok((await scratch.read(from, at - from)).equals(all.subarray(from, at)));
    assert.equal(scratch.bytes, at);
  }
  for (const [at, bytes] of [
    [0, all.length],
    [MIB - 1, 2],
    [2 * MIB - 5, 10],
    [2 * MIB, 1],
    [all.length - 1, 1],
    [77, 0],
  ] as const) {
    assert.ok((await scratch.read(at, bytes)).equals(all.subarray(at, at + bytes)), `${at}`);
  }
  await assert.rejects(scratch.read(all.length - 1, 2), RangeError);
  assert.deepEqual(readdirSync(directory), []);
});

test('scratch bytes say where there is no room for them', async () => {
  await using scratch = scratchBytes({ directory: join(directory, 'none'), memoryBytesMax: 0 });
  await scratch.append(Buffer.alloc(MIB));
  await assert.rejects(scratch.append(Buffer.alloc(1)), (error) =>
    isTsbkError(error, 'scratch-failed'),
  );
});
