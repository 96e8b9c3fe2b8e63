import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, after, describe, it } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import { parseWalFileName } from '../kernel/wal-file.ts';
import { openWalFile, type OpenWalFile } from './wal-file.ts';

const canTransfer = typeof ArrayBuffer.prototype.transfer === 'function';
const NAME = '00000002.history';
/** Several reads, the last of them short. */
const CONTENT = randomBytes(5 * 1024 * 1024 + 1234);

describe('reading a file of pg_wal', () => {
  let path: string;
  before(async () => {
    path = join(await mkdtemp(join(tmpdir(), 'tsbk-wal-file-')), NAME);
    await writeFile(path, CONTENT);
  });
  after(() => rm(join(path, '..'), { recursive: true }));

  const opened = async (): Promise<OpenWalFile> => {
    const file = parseWalFileName(NAME);
    assert.ok(file !== undefined);
    return await openWalFile(path, file);
  };

  it('gives its content, and again from the start', async () => {
    await using wal = await opened();
    for (let turn = 0; turn < 2; turn += 1) {
      const chunks: Buffer[] = [];
      // A lent chunk stays as it is until the next one is asked for, whatever is read meanwhile.
      for await (const chunk of wal.content()) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        chunks.push(Buffer.from(chunk));
      }
      assert.ok(Buffer.concat(chunks).equals(CONTENT));
    }
  });

  it('leaves no memory for the collector', { skip: !canTransfer }, async () => {
    await using wal = await opened();
    const atFirst = process.memoryUsage().arrayBuffers;
    for (let turn = 0; turn < 3; turn += 1) for await (const _ of wal.content());
    const grown = process.memoryUsage().arrayBuffers - atFirst;
    assert.ok(grown < 2 * 1024 * 1024, `${grown} bytes`);
  });

  it('leaves a chunk as it is for who stops reading there', async () => {
    await using wal = await opened();
    let last: Uint8Array | undefined;
    for await (const chunk of wal.content()) {
      last = chunk;
      break;
    }
    // Native code may still be compressing it.
    assert.ok(last !== undefined && last.length > 0);
    assert.ok(CONTENT.subarray(0, last.length).equals(last));
  });

  it('fails when it became shorter meanwhile', async () => {
    await using wal = await opened();
    await truncate(path, 1000);
    await assert.rejects(
      async () => {
        for await (const _ of wal.content());
      },
      (error) => isTsbkError(error, 'wal-file-unreadable'),
    );
  });
});
