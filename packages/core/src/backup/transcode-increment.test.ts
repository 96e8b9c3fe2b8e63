import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ByteReader } from '../format/byte-reader.ts';
import { incrementalBytes } from '../format/increment/pg-incremental.ts';
import { readIncrementHead } from '../format/increment/walg-increment.ts';
import { PAGE_BYTES } from '../format/page.ts';
import { isTsbkError } from '../kernel/errors.ts';
import { toInstant } from '../kernel/instant.ts';
import type { SourceMember } from '../ports/backup-source.ts';
import { chunked } from '../stream/chunked.ts';
import { collect } from '../stream/collect.ts';
import { transcodeIncrement } from './transcode-increment.ts';

const PATH = 'base/5/16384';
const BYTES_MAX = 64 * 1024 * 1024;

/** A file of pages, each filled with one number; 0 is a page of zeros. */
type Pages = readonly number[];

/** What PostgreSQL sends: pages by block number. */
interface Sent {
  readonly truncation: number;
  readonly pages: ReadonlyMap<number, number>;
}

function pgFile({ truncation, pages }: Sent): Buffer {
  const blocks = [...pages.keys()].sort((a, b) => a - b);
  const head = Buffer.alloc(incrementalBytes(blocks.length) - blocks.length * PAGE_BYTES);
  head.writeUInt32LE(0xd3ae1f0d, 0);
  head.writeUInt32LE(blocks.length, 4);
  head.writeUInt32LE(truncation, 8);
  blocks.forEach((block, index) => head.writeUInt32LE(block, 12 + 4 * index));
  const content = blocks.map((block) => Buffer.alloc(PAGE_BYTES, pages.get(block)));
  return Buffer.concat([head, ...content]);
}

function memberOf(bytes: number): SourceMember {
  const path = 'base/5/INCREMENTAL.16384';
  return { kind: 'file', path, bytes, mode: 0o600, modified: toInstant(0n), uid: 1, gid: 2 };
}

/** The increment that is stored; `undefined` if the file is stored whole, which it is when empty. */
async function transcoded(sent: Sent): Promise<Buffer | undefined> {
  const file = pgFile(sent);
  const stored = await transcodeIncrement(memberOf(file.length), chunked(file, [5000]), PATH);
  const { member, body, content, fileBytes } = stored;
  assert.equal(member.path, PATH);
  const bytes = await collect(body, { maxBytes: BYTES_MAX, what: PATH });
  assert.equal(bytes.length, member.bytes);
  if (content === undefined) {
    assert.deepEqual([bytes.length, fileBytes], [0, 0]);
    return undefined;
  }
  assert.equal(content, 'incremented');
  assert.equal(Number(bytes.readBigUInt64LE(4)), fileBytes);
  return bytes;
}

/** pg_combinebackup's rules for a file that is whole in the oldest backup (`reconstruct.c`). */
function asPostgres(older: Pages, { truncation, pages }: Sent): Pages {
  const length = Math.max(truncation, ...[...pages.keys()].map((block) => block + 1));
  return Array.from({ length }, (_, block) => {
    const page = pages.get(block);
    if (page !== undefined) return page;
    return block < truncation ? (older[block] ?? 0) : 0;
  });
}

/** WAL-G's default restore: cut or extend, then write the pages. */
async function asWalg(older: Pages, sent: Sent): Promise<Pages> {
  const bytes = await transcoded(sent);
  if (bytes === undefined) return [];
  const reader = new ByteReader(chunked(bytes, [7000]));
  const head = await readIncrementHead(reader, { entryBytes: bytes.length, what: PATH });
  const file = Array.from({ length: head.fileBytes / PAGE_BYTES }, (_, at) => older[at] ?? 0);
  for (const block of head.blocks) {
    const page = await reader.take(PAGE_BYTES);
    assert.ok(page.every((byte) => byte === page[0]));
    file[block] = page[0] ?? 0;
  }
  assert.equal(await reader.some(1), undefined);
  return file;
}

const refuses = (words: RegExp) => (error: unknown) =>
  isTsbkError(error, 'tar-invalid') && words.test(error.message);

describe('transcodeIncrement', () => {
  it('gives WAL-G what pg_combinebackup would have made', async () => {
    const pages = fc.array(fc.integer({ min: 1, max: 255 }), { maxLength: 12 });
    const sent = fc.record({
      truncation: fc.nat(12),
      pages: fc.uniqueArray(fc.tuple(fc.nat(14), fc.integer({ min: 0, max: 255 })), {
        selector: ([block]) => block,
        maxLength: 8,
      }),
    });
    await fc.assert(
      fc.asyncProperty(pages, sent, async (older, { truncation, pages: changed }) => {
        const made = { truncation, pages: new Map(changed) };
        assert.deepEqual(await asWalg(older, made), asPostgres(older, made));
      }),
    );
  });

  it('lets nothing of an older backup show through beyond the truncation', async () => {
    const sent = { truncation: 1, pages: new Map([[3, 9]]) };
    assert.deepEqual(await asWalg([1, 2, 3, 4, 5], sent), [1, 0, 0, 9]);
  });

  it('makes an increment without pages of a file that did not change', async () => {
    const bytes = await transcoded({ truncation: 3, pages: new Map() });
    assert.equal(bytes?.toString('hex'), '77693155' + '0060000000000000' + '00000000');
  });

  it('refuses what is longer or shorter than it says', async () => {
    const file = pgFile({ truncation: 2, pages: new Map([[1, 1]]) });
    const member = memberOf(file.length);
    const longer = Buffer.concat([file, Buffer.alloc(1)]);
    for (const [bytes, words] of [
      [longer, /goes on/],
      [file.subarray(0, -1), /ends within its pages/],
    ] as const) {
      const { body } = await transcodeIncrement(member, chunked(bytes, [5000]), PATH);
      await assert.rejects(collect(body, { maxBytes: BYTES_MAX, what: PATH }), refuses(words));
    }
  });

  it('refuses an increment of a file that was not listed for one', async () => {
    const file = pgFile({ truncation: 2, pages: new Map() });
    const member = { ...memberOf(file.length), path: 'global/INCREMENTAL.1262' };
    await assert.rejects(
      transcodeIncrement(member, chunked(file, [5000]), 'global/1262'),
      (error) => isTsbkError(error, 'protocol-violation'),
    );
  });
});
