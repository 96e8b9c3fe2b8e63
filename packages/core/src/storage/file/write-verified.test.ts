import assert from 'node:assert/strict';
import { mkdtemp, open, readFile, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isTsbkError } from '../../kernel/errors.ts';
import { writeVerified } from './write-verified.ts';

const canTransfer = typeof ArrayBuffer.prototype.transfer === 'function';

describe('writing with verification', () => {
  it('writes where it should, in as many pieces as it takes', async (t) => {
    const path = await mkdtemp(join(tmpdir(), 'tsbk-write-'));
    t.after(() => rm(path, { recursive: true }));
    const bytes = Buffer.from(Array.from({ length: 2_500_000 }, (_, index) => index % 251));
    const handle = await open(join(path, 'a'), 'wx+');
    await writeVerified(handle, bytes.subarray(1000), 1000);
    await writeVerified(handle, bytes.subarray(0, 1000), 0);
    await writeVerified(handle, Buffer.alloc(0), 7);
    await handle.close();
    assert.deepEqual(await readFile(join(path, 'a')), bytes);
  });

  it('leaves no memory for the collector', { skip: !canTransfer }, async (t) => {
    const path = await mkdtemp(join(tmpdir(), 'tsbk-write-'));
    t.after(() => rm(path, { recursive: true }));
    const bytes = Buffer.alloc(1024 * 1024);
    const handle = await open(join(path, 'a'), 'wx+');
    const before = process.memoryUsage().arrayBuffers;
    for (let turn = 0; turn < 8; turn += 1) await writeVerified(handle, bytes, 0);
    const grown = process.memoryUsage().arrayBuffers - before;
    await handle.close();
    assert.ok(grown < 4 * bytes.length, `${grown} bytes`);
  });

  for (const [what, broken] of [
    ['other bytes', 1],
    ['fewer bytes', 2],
  ] as const) {
    it(`refuses a file system that gives back ${what}`, async () => {
      const handle = forgetfulFile(broken);
      await assert.rejects(writeVerified(handle, Buffer.from('some bytes'), 0), (error) =>
        isTsbkError(error, 'store-corrupt-write'),
      );
    });
  }
});

/** A file that loses the last byte, or changes it. */
function forgetfulFile(broken: 1 | 2): FileHandle {
  let stored = Buffer.alloc(0);
  const file = {
    write: (bytes: Uint8Array) => {
      stored = Buffer.from(broken === 1 ? bytes.with(-1, 0) : bytes.subarray(0, -1));
      return Promise.resolve({ bytesWritten: bytes.length });
    },
    read: (into: Buffer, offset: number, length: number, position: number) => {
      const bytesRead = stored.copy(into, offset, position, position + length);
      return Promise.resolve({ bytesRead });
    },
  };
  return file as unknown as FileHandle;
}
