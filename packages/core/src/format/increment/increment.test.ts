import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isTsbkError } from '../../kernel/errors.ts';
import { sourceOf } from '../../stream/source.ts';
import { ByteReader } from '../byte-reader.ts';
import { isPagedFile } from './paged-file.ts';
import {
  incrementalBytes,
  incrementalTarget,
  readIncrementalHead,
  resultBlocks,
} from './pg-incremental.ts';
import { encodeIncrementHead, incrementBytes, readIncrementHead } from './walg-increment.ts';

const WHAT = 'base/5/1259';

function readHead(bytes: Uint8Array, entryBytes: number): ReturnType<typeof readIncrementHead> {
  return readIncrementHead(new ByteReader(sourceOf(bytes)), { entryBytes, what: WHAT });
}

function pgHead(pages: readonly number[], truncation: number, magic = 0xd3ae1f0d): Buffer {
  const pageBytes = pages.length * 8192;
  const head = Buffer.alloc(incrementalBytes(pages.length) - pageBytes);
  head.writeUInt32LE(magic, 0);
  head.writeUInt32LE(pages.length, 4);
  head.writeUInt32LE(truncation, 8);
  pages.forEach((page, index) => head.writeUInt32LE(page, 12 + 4 * index));
  return head;
}

function readPg(bytes: Uint8Array, memberBytes: number): ReturnType<typeof readIncrementalHead> {
  return readIncrementalHead(new ByteReader(sourceOf(bytes)), { memberBytes, what: WHAT });
}

const isInvalid =
  (words: RegExp) =>
  (error: unknown): boolean =>
    isTsbkError(error, 'tar-invalid') && words.test(error.message) && error.message.includes(WHAT);

describe('WAL-G increment', () => {
  test('head is the documented bytes', () => {
    const head = encodeIncrementHead({ fileBytes: 24_576, blocks: Uint32Array.of(0, 2) });
    assert.equal(head.toString('hex'), '776931550060000000000000020000000000000002000000');
    assert.equal(incrementBytes(2), 24 + 2 * 8192);
    assert.equal(incrementBytes(0), 16);
  });

  test('what was written is read', async () => {
    const blocks = fc.uniqueArray(fc.nat(131_071), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(blocks, fc.nat(2 ** 30), async (numbers, fileBytes) => {
        const head = { fileBytes, blocks: Uint32Array.from(numbers).toSorted() };
        const read = await readHead(encodeIncrementHead(head), incrementBytes(numbers.length));
        assert.deepEqual(read, head);
      }),
    );
  });

  test('only ascending numbers are written', () => {
    for (const blocks of [Uint32Array.of(2, 1), Uint32Array.of(1, 1)]) {
      assert.throws(() => encodeIncrementHead({ fileBytes: 8192, blocks }), RangeError);
    }
  });

  test('any order is read, no page twice', async () => {
    const head = encodeIncrementHead({ fileBytes: 24_576, blocks: Uint32Array.of(0, 2) });
    head.writeUInt32LE(3, 16);
    assert.deepEqual([...(await readHead(head, incrementBytes(2))).blocks], [3, 2]);
    head.writeUInt32LE(2, 16);
    await assert.rejects(readHead(head, incrementBytes(2)), isInvalid(/page 2 twice/));
  });

  test('what is no increment is refused', async () => {
    const head = encodeIncrementHead({ fileBytes: 24_576, blocks: Uint32Array.of(0, 2) });
    const changed = (at: number, byte: number): Buffer => {
      const copy = Buffer.from(head);
      copy[at] = byte;
      return copy;
    };
    const bytes = incrementBytes(2);
    await assert.rejects(readHead(changed(0, 0), bytes), isInvalid(/does not begin/));
    await assert.rejects(readHead(changed(3, 0), bytes), isInvalid(/does not begin/));
    await assert.rejects(readHead(changed(2, 0x32), bytes), isInvalid(/unknown version/));
    await assert.rejects(
      readHead(changed(11, 0xff), bytes),
      isInvalid(/of a file of more than 1 TiB/),
    );
    await assert.rejects(readHead(changed(15, 0xff), bytes), isInvalid(/not \d+ pages/));
    await assert.rejects(readHead(head, bytes + 1), isInvalid(/not 2 pages/));
    await assert.rejects(readHead(head.subarray(0, 20), bytes), isInvalid(/ends within/));
    await assert.rejects(readHead(head.subarray(0, 15), bytes), isInvalid(/does not begin/));
  });
});

describe('incremental file of PostgreSQL', () => {
  test('the measured example: 26 pages are 221184 bytes, none are 12', () => {
    assert.equal(incrementalBytes(26), 221_184);
    assert.equal(incrementalBytes(0), 12);
  });

  test('head with and without pages', async () => {
    const head = await readPg(pgHead([3, 7], 6), incrementalBytes(2));
    assert.deepEqual(head, { blocks: Uint32Array.of(3, 7), truncationBlocks: 6 });
    assert.equal(resultBlocks(head), 8);
    const none = await readPg(pgHead([], 6), 12);
    assert.equal(none.blocks.length, 0);
    assert.equal(resultBlocks(none), 6);
  });

  test('the reader is left at the first page', async () => {
    const page = Buffer.alloc(8192, 7);
    const source = sourceOf(pgHead([3], 6), page);
    const reader = new ByteReader(source);
    await readIncrementalHead(reader, { memberBytes: incrementalBytes(1), what: WHAT });
    assert.deepEqual(Buffer.from(await reader.take(9000)), page);
  });

  test('what is none is refused', async () => {
    await assert.rejects(readPg(pgHead([3], 6, 1), incrementalBytes(1)), isInvalid(/begin/));
    await assert.rejects(readPg(pgHead([3], 6), incrementalBytes(2)), isInvalid(/do not fit/));
    await assert.rejects(readPg(pgHead([3, 3], 6), incrementalBytes(2)), isInvalid(/page 3 after/));
    await assert.rejects(readPg(pgHead([4, 3], 6), incrementalBytes(2)), isInvalid(/page 3 after/));
    await assert.rejects(readPg(pgHead([131_072], 6), incrementalBytes(1)), isInvalid(/131072/));
    await assert.rejects(readPg(pgHead([], 131_073), 12), isInvalid(/131073/));
    const cut = pgHead([3], 6).subarray(0, 100);
    await assert.rejects(readPg(cut, incrementalBytes(1)), isInvalid(/ends within/));
  });

  test('names that PostgreSQL takes for one', () => {
    assert.equal(incrementalTarget('base/5/INCREMENTAL.1259_vm'), 'base/5/1259_vm');
    assert.equal(incrementalTarget('global/INCREMENTAL.1262'), 'global/1262');
    const inTablespace = 'pg_tblspc/16384/PG_18_202506291/5/INCREMENTAL.16400.1';
    assert.equal(incrementalTarget(inTablespace), inTablespace.replace('INCREMENTAL.', ''));
    for (const path of [
      'INCREMENTAL.1',
      'base/INCREMENTAL.1',
      'log/INCREMENTAL.1',
      'base/5/1259',
    ]) {
      assert.equal(incrementalTarget(path), undefined, path);
    }
  });
});

describe('files of pages', () => {
  test('main forks below base and pg_tblspc, whole pages, not empty', () => {
    assert.ok(isPagedFile('base/5/1259', 8192));
    assert.ok(isPagedFile('base/5/1259.3', 16_384));
    assert.ok(isPagedFile('pg_tblspc/16384/PG_18_202506291/5/16400', 8192));
    for (const path of [
      'base/5/1259_fsm',
      'base/5/1259_vm',
      'global/1262',
      'pg_xact/0000',
      '1259',
    ]) {
      assert.ok(!isPagedFile(path, 8192), path);
    }
    assert.ok(!isPagedFile('base/5/1259', 0));
    assert.ok(!isPagedFile('base/5/1259', 8191));
  });
});
