/** What of a file goes into a delta that is made of the data directory itself. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { writeFiles } from '@tsbk/core/backup/write-files';
import type { DataFile } from '@tsbk/core/cluster/data-directory';
import { codecByName } from '@tsbk/core/codec/codecs';
import { crc32c } from '@tsbk/core/format/crc32c';
import { PAGE_BYTES } from '@tsbk/core/format/page';
import { toInstant, type Instant } from '@tsbk/core/kernel/instant';
import { toLsn } from '@tsbk/core/kernel/lsn';
import type { TreePath } from '@tsbk/core/kernel/tree-path';
import type { KnownFile, ReadMember } from '@tsbk/core/ports/files';
import { BASE, blocksIn, pageOf, patched, type PageKind } from './support/pages.ts';
import { readTar } from './support/read-tar.ts';
import { tempDirectory } from './support/temp-directory.ts';
import { openDirectory } from './support/walg-cases.ts';

const MODIFIED = toInstant(1_700_000_000_123_456_789n);
const LATER = toInstant(MODIFIED + 1n);
const RELATION = 'base/5/16384' as TreePath;
const OTHER = 'pg_xact/0000' as TreePath;

interface FileNow {
  readonly path?: TreePath;
  readonly content: Uint8Array;
  /** When it says it was changed, before and after it is read. */
  readonly modified?: Instant;
  readonly modifiedThen?: Instant;
  /** Content from the second look on. */
  readonly contentThen?: Uint8Array;
}

function fileOf({ content, modified = LATER, modifiedThen, contentThen }: FileNow): DataFile {
  let furthest = 0;
  return {
    facts: { mode: 0o600, modified, uid: 1, gid: 1 },
    bytes: content.length,
    read: (target, position) => {
      const isAgain = position < furthest;
      furthest = Math.max(furthest, position + target.length);
      const now = isAgain ? (contentThen ?? content) : content;
      const there = now.subarray(position, position + target.length);
      target.set(there);
      return there.length;
    },
    modifiedNow: () => modifiedThen ?? modified,
    [Symbol.dispose]: () => undefined,
  };
}

interface Written {
  readonly member: ReadMember | undefined;
  /** `undefined`: the tar has no entry of it. */
  readonly payload: Buffer | undefined;
}

/** What becomes of one file of which the parent knows something. */
async function write(now: FileNow, known: KnownFile | undefined): Promise<Written> {
  await using temp = await tempDirectory();
  const repository = { ...(await openDirectory(temp.path)), writeCodec: codecByName('none') };
  const { path = RELATION } = now;
  const members: ReadMember[] = [];
  const receipt = await writeFiles(
    repository,
    {
      key: 'part.tar',
      root: '/nowhere',
      directories: [],
      files: [path],
      verifyBefore: undefined,
      delta: { base: toLsn(BASE), known: [known] },
    },
    {
      signal: AbortSignal.timeout(60_000),
      onBatch: (batch) => void members.push(...batch.members),
      directory: { open: () => fileOf(now), directory: () => undefined },
    },
  );
  const [entry] = readTar(join(temp.path, receipt.key));
  assert.ok(entry === undefined || entry.name === `/${path}`);
  return { member: members[0], payload: entry?.content };
}

function parentOf(content: Uint8Array, modified = MODIFIED): KnownFile {
  return { modified, sum: { bytes: content.length, crc: crc32c(content) } };
}

const NO_SUM: KnownFile = { modified: MODIFIED, sum: undefined };
const KINDS: readonly PageKind[] = ['before', 'at', 'after', 'new', 'nothing known'];
const relation = (kinds: readonly PageKind[], fill = 1): Buffer =>
  Buffer.concat(kinds.map((kind, index) => pageOf(kind, (fill + index) % 200)));
const selected = (kinds: readonly PageKind[]): number[] =>
  [...kinds.keys()].filter((index) => kinds[index] !== 'before');

/** The same pages where nothing has changed since, anything elsewhere, and of any length. */
function olderOf(content: Buffer, kinds: readonly PageKind[], morePages: number): Buffer {
  const pages = kinds.lastIndexOf('before') + 1 + morePages;
  const older = Buffer.alloc(pages * PAGE_BYTES, 0xaa);
  for (const [block, kind] of kinds.entries()) {
    const at = block * PAGE_BYTES;
    if (kind === 'before') content.copy(older, at, at, at + PAGE_BYTES);
  }
  return older;
}

describe('a delta of a data directory', () => {
  test('has of a relation the pages that the parent may not have, whatever they are', async () => {
    const files = fc.array(fc.constantFrom(...KINDS), { minLength: 1, maxLength: 80 });
    await fc.assert(
      fc.asyncProperty(files, fc.nat(20), async (kinds, morePages) => {
        const content = relation(kinds);
        const older = olderOf(content, kinds, morePages);
        const { member, payload } = await write({ content }, NO_SUM);
        assert.ok(member !== undefined && payload !== undefined);
        assert.equal(member.fileBytes, content.length);
        assert.deepEqual([member.bytes, member.crc], [payload.length, crc32c(payload)]);
        const changed = selected(kinds);
        if (member.content === 'incremented') {
          assert.deepEqual(blocksIn(payload), changed);
          assert.ok(patched(older, payload).equals(content));
        } else {
          assert.equal(member.content, 'whole');
          assert.equal(changed.length, kinds.length);
          assert.ok(payload.equals(content));
        }
      }),
      { numRuns: 60 },
    );
  });

  test('has a relation with no changed page as an increment without pages', async () => {
    const content = relation(['before', 'before']);
    const { member, payload } = await write({ content }, NO_SUM);
    assert.equal(member?.content, 'incremented');
    assert.deepEqual([payload?.length, member.bytes, member.fileBytes], [16, 16, content.length]);
  });

  test('has a file whole that the parent does not list, or that is no relation', async () => {
    const content = relation(['before', 'after']);
    for (const [now, known] of [
      [{ content }, undefined],
      [{ content, path: OTHER }, NO_SUM],
      [{ content: content.subarray(0, content.length - 1) }, NO_SUM],
      [{ content, path: OTHER }, parentOf(content)],
    ] as const) {
      const { member, payload } = await write(now, known);
      assert.equal(member?.content, 'whole');
      assert.ok(payload?.equals(now.content));
    }
  });

  for (const path of [RELATION, OTHER]) {
    test(`leaves out ${path} when time, length and checksum are the parent's`, async () => {
      const content = relation(['before', 'after', 'new']);
      const same = { path, content, modified: MODIFIED };
      const { member, payload } = await write(same, parentOf(content));
      assert.equal(payload, undefined);
      assert.equal(member?.content, 'skipped');
      assert.deepEqual([member.bytes, member.crc], [content.length, crc32c(content)]);
      const streamed = toInstant(1_700_000_000_000_000_000n);
      const second = await write(same, parentOf(content, streamed));
      assert.equal(second.member?.content, 'skipped');
    });

    test(`does not leave out ${path} for its time or its checksum alone`, async () => {
      const content = relation(['before', 'after', 'before', 'before']);
      const other = relation(['before', 'before', 'before', 'before'], 50);
      for (const [modified, known] of [
        [MODIFIED, NO_SUM],
        [LATER, parentOf(content)],
        [MODIFIED, parentOf(other)],
        [MODIFIED, parentOf(content.subarray(0, PAGE_BYTES))],
      ] as const) {
        const { member, payload } = await write({ path, content, modified }, known);
        assert.notEqual(member?.content, 'skipped');
        assert.ok(payload !== undefined);
      }
    });
  }

  test('has a file whole, and says so, that changed and whose time did not', async () => {
    const content = relation(['before', 'before', 'after']);
    const older = parentOf(relation(['before', 'before', 'before'], 9));
    const silent = await write({ content, modified: MODIFIED }, older);
    assert.deepEqual([silent.member?.content, silent.member?.contradicts], ['whole', true]);
    assert.ok(silent.payload?.equals(content));

    const caught = { content, modified: MODIFIED, modifiedThen: LATER };
    const { member } = await write(caught, older);
    assert.deepEqual([member?.content, member?.contradicts], ['incremented', undefined]);
    const rounded = { ...older, modified: toInstant(1_700_000_000_000_000_000n) };
    const streamed = await write({ content, modified: MODIFIED }, rounded);
    assert.deepEqual(
      [streamed.member?.content, streamed.member?.contradicts],
      ['incremented', undefined],
    );
  });

  test('reads again what did not fit into memory, and takes it as it is then', async () => {
    const pages = 1200;
    const kinds = Array.from({ length: pages }, (_, index): PageKind =>
      index % 7 === 3 ? 'before' : 'after',
    );
    const content = relation(kinds);
    const contentThen = relation(kinds, 77);
    const { member, payload } = await write({ content, contentThen }, NO_SUM);
    assert.equal(member?.content, 'incremented');
    assert.ok(payload !== undefined && member.crc === crc32c(payload));
    assert.deepEqual(blocksIn(payload), selected(kinds));
    const result = patched(Buffer.alloc(0), payload);
    const page = (from: Buffer, block: number): Buffer =>
      from.subarray(block * PAGE_BYTES, (block + 1) * PAGE_BYTES);
    assert.ok(page(result, 0).equals(page(content, 0)));
    assert.ok(page(result, pages - 1).equals(page(contentThen, pages - 1)));
  });

  test('fills with zeros what is cut off while it is read', async () => {
    const kinds = Array.from({ length: 1001 }, (_, index): PageKind =>
      index === 1000 ? 'before' : 'after',
    );
    const content = relation(kinds);
    const contentThen = content.subarray(0, 10 * PAGE_BYTES);
    const { member, payload } = await write({ content, contentThen }, NO_SUM);
    assert.ok(payload !== undefined && member?.content === 'incremented');
    const result = patched(Buffer.alloc(0), payload);
    assert.equal(result.length, content.length);
    assert.ok(result.subarray(999 * PAGE_BYTES).every((byte) => byte === 0));
  });

  test('reads only the pages that the WAL summaries name', async () => {
    const content = relation(['after', 'before', 'before', 'after', 'before']);
    const named = async (blocks: readonly number[], from: number): Promise<Written> =>
      await write({ content }, { ...NO_SUM, changed: { blocks: Uint32Array.from(blocks), from } });
    for (const [blocks, from, stored] of [
      [[1, 2, 4, 5, 9], Infinity, [1, 2, 4]],
      [[1, 4], 3, [1, 3, 4]],
      [[1], 5, [1]],
      [[], Infinity, []],
    ] as const) {
      const { member, payload } = await named(blocks, from);
      assert.ok(payload !== undefined && member?.content === 'incremented');
      assert.deepEqual(blocksIn(payload), stored);
      assert.ok(patched(content, payload).equals(content));
    }
    const { member, payload } = await named([], 0);
    assert.equal(member?.content, 'whole');
    assert.ok(payload?.equals(content));
  });
});
