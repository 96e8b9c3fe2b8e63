/** What of a file that a server sends goes into a delta. */
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { deltaManifest } from '@tsbk/core/backup/delta-manifest';
import { FileSums } from '@tsbk/core/backup/file-sums';
import { pageDelta } from '@tsbk/core/backup/page-delta';
import { crc32c, crc32cHex } from '@tsbk/core/format/crc32c';
import { formatManifest } from '@tsbk/core/format/format-manifest';
import { parseManifest, type ManifestFile } from '@tsbk/core/format/manifest';
import { PAGE_BYTES } from '@tsbk/core/format/page';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import { toInstant } from '@tsbk/core/kernel/instant';
import { toLsn } from '@tsbk/core/kernel/lsn';
import { toSystemId } from '@tsbk/core/kernel/system-id';
import type { SourceMember } from '@tsbk/core/ports/backup-source';
import type { ByteSource } from '@tsbk/core/ports/bytes';
import type { KnownFile } from '@tsbk/core/ports/files';
import { collect } from '@tsbk/core/stream/collect';
import { heldBytes } from '@tsbk/core/stream/held-bytes';
import { owned } from '@tsbk/core/stream/owned';
import { sourceOf } from '@tsbk/core/stream/source';
import { openSpool } from '@tsbk/core/stream/spool';
import { BASE, blocksIn, pageOf, patched, type PageKind } from './support/pages.ts';

const SECOND = toInstant(1_700_000_000_000_000_000n);
const FRACTION = toInstant(SECOND + 5n);
const RELATION = 'base/5/16384';
const OTHER = 'pg_xact/0000';
const KINDS: readonly PageKind[] = ['before', 'at', 'after', 'new', 'nothing known'];
const NO_SUM: KnownFile = { modified: SECOND, sum: undefined };
const directory = tmpdir();

function relation(kinds: readonly PageKind[]): Buffer {
  return Buffer.concat(kinds.map((kind, index) => pageOf(kind, index % 200)));
}

function parentOf(content: Uint8Array): KnownFile {
  return { modified: FRACTION, sum: { bytes: content.length, crc: crc32c(content) } };
}

/** Chunks of these lengths in turn, all in one place: each spoils the one before. */
async function* lentChunks(content: Buffer, lengths: readonly number[]): ByteSource {
  const place = Buffer.alloc(Math.max(...lengths));
  for (let at = 0, turn = 0; at < content.length; turn += 1) {
    const length = Math.min(lengths[turn % lengths.length] ?? 1, content.length - at);
    place.fill(0xee);
    content.copy(place, 0, at, at + length);
    yield place.subarray(0, length);
    at += length;
  }
}

interface Kept {
  readonly content: 'incremented' | 'skipped' | undefined;
  readonly stored: Buffer;
}

async function filter(
  sent: { readonly path?: string; readonly content: Buffer; readonly lengths?: readonly number[] },
  known: KnownFile | undefined,
): Promise<Kept> {
  const { path = RELATION, content, lengths = [70_001] } = sent;
  const facts = { mode: 0o600, modified: SECOND, uid: 1, gid: 1 };
  const member: SourceMember = { kind: 'file', path, bytes: content.length, ...facts };
  await using held = heldBytes({ directory });
  await using spool = openSpool({ directory });
  const filtering = pageDelta({
    base: toLsn(BASE),
    known: { of: () => known },
    held,
    spool,
    what: 'the manifest',
  });
  const result = await filtering.take(member, lentChunks(content, lengths));
  const stored = await collect(owned(result.body), { maxBytes: 1e9, what: path });
  assert.equal(result.fileBytes, content.length);
  assert.deepEqual(result.member, { ...member, bytes: stored.length });
  return { content: result.content, stored };
}

describe('a delta of what a server sends', () => {
  test('has of a relation the pages that the parent may not have, however they come', async () => {
    const files = fc.array(fc.constantFrom(...KINDS), { minLength: 1, maxLength: 70 });
    const lengths = fc.array(fc.integer({ min: 1, max: 300_000 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(files, lengths, async (kinds, cuts) => {
        // Byte by byte it would take too long.
        fc.pre(Math.max(...cuts) > 1000);
        const content = relation(kinds);
        const { content: kind, stored } = await filter({ content, lengths: cuts }, NO_SUM);
        const changed = [...kinds.keys()].filter((block) => kinds[block] !== 'before');
        if (changed.length === kinds.length) {
          assert.equal(kind, undefined);
          assert.ok(stored.equals(content));
        } else {
          assert.equal(kind, 'incremented');
          assert.deepEqual(blocksIn(stored), changed);
          assert.ok(patched(content, stored).equals(content));
        }
      }),
      { numRuns: 60 },
    );
  });

  test('keeps in a file without a name what does not fit into memory', async () => {
    const kinds = Array.from({ length: 1500 }, (_, block): PageKind =>
      block % 5 === 0 ? 'before' : 'after',
    );
    const content = relation(kinds);
    const { content: kind, stored } = await filter({ content }, NO_SUM);
    assert.equal(kind, 'incremented');
    assert.ok(patched(content, stored).equals(content));
    const other = { path: OTHER, content: Buffer.alloc(9_000_000, 'abc') };
    const changed = await filter(other, parentOf(Buffer.alloc(9_000_000)));
    assert.equal(changed.content, undefined);
    assert.ok(changed.stored.equals(other.content));
  });

  for (const path of [RELATION, OTHER]) {
    test(`leaves out ${path} only when time, length and checksum are the parent's`, async () => {
      const content = relation(['before', 'after', 'before']);
      const same = parentOf(content);
      assert.deepEqual(await filter({ path, content }, same), {
        content: 'skipped',
        stored: Buffer.alloc(0),
      });
      for (const known of [
        undefined,
        NO_SUM,
        { ...same, modified: toInstant(SECOND - 1n) },
        { ...same, modified: undefined },
        parentOf(relation(['before', 'before', 'before'])),
        parentOf(content.subarray(0, PAGE_BYTES)),
      ]) {
        const { content: kind, stored } = await filter({ path, content }, known);
        const isIncrement = path === RELATION && known !== undefined;
        assert.equal(kind, isIncrement ? 'incremented' : undefined);
        assert.ok(isIncrement ? patched(content, stored).equals(content) : stored.equals(content));
      }
    });
  }
});

test('a manifest has the increments that were stored, with their checksums', async () => {
  const content = relation(['before', 'after', 'before']);
  const member = { kind: 'file', path: RELATION, bytes: content.length, mode: 0o600 } as const;
  await using held = heldBytes({ directory });
  await using spool = openSpool({ directory });
  const filtering = pageDelta({
    base: toLsn(BASE),
    known: { of: () => NO_SUM },
    held,
    spool,
    what: 'the manifest',
  });
  const facts = { modified: SECOND, uid: 1, gid: 1 };
  const taken = await filtering.take({ ...member, ...facts }, lentChunks(content, [9000]));
  const stored = await collect(owned(taken.body), { maxBytes: 1e6, what: RELATION });
  const sum = { checksumAlgorithm: 'CRC32C', checksum: crc32cHex(crc32c(content)) } as const;
  const file = { path: RELATION, bytes: content.length, modified: SECOND, ...sum };
  const sent = formatManifest({ files: [file], systemId: undefined, walRanges: [] });
  const manifest = filtering.manifest(sent, Buffer.alloc(0));
  const { files } = parseManifest(await collect(manifest, { maxBytes: 1e6, what: '' }), '');
  const checksum = crc32cHex(crc32c(stored));
  const path = 'base/5/INCREMENTAL.16384';
  assert.deepEqual(files, [{ ...file, path, bytes: stored.length, checksum }]);
});

test('a scratch directory that cannot be written to is told of', async () => {
  await using held = heldBytes({ directory: '/nowhere', memoryBytesMax: 8 });
  await assert.rejects(
    () => held.append(Buffer.alloc(9)),
    (error) => isTsbkError(error, 'scratch-failed') && error.message.includes('/nowhere'),
  );
});

test('what is held comes back as it was, more than once, and is forgotten', async () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 });
  await using held = heldBytes({ directory, memoryBytesMax: 64 });
  await fc.assert(
    fc.asyncProperty(chunks, async (pieces) => {
      held.clear();
      for (const piece of pieces) {
        const lent = Uint8Array.from(piece);
        await held.append(lent);
        lent.fill(0xee);
      }
      const all = Buffer.concat(pieces);
      assert.equal(held.bytes, all.length);
      for (let time = 0; time < 2; time += 1) {
        const back = await collect(owned(held.read()), { maxBytes: 1000, what: 'held' });
        assert.ok(back.equals(all));
      }
    }),
  );
});

const FILES: readonly ManifestFile[] = ['base/5/1', 'base/5/2', 'größe', 'base/5/2_fsm'].map(
  (path, index) => ({
    path,
    bytes: 8192 * index,
    modified: SECOND,
    checksumAlgorithm: 'CRC32C',
    checksum: '0a0b0c0d',
  }),
);

async function manifestBytes(systemId: string | undefined): Promise<Buffer> {
  const id = systemId === undefined ? undefined : toSystemId(systemId);
  const walRanges = [{ timeline: 1, startLsn: toLsn(BASE), endLsn: toLsn(BASE + 8n) }];
  const manifest = formatManifest({ files: FILES, systemId: id, walRanges });
  return await collect(manifest, { maxBytes: 1e6, what: 'manifest' });
}

test('a manifest of a delta has the increments in place of their files', async () => {
  const increments = new FileSums();
  increments.add('base/5/2', { bytes: 16, crc: 0x01020304 });
  for (const systemId of [undefined, '7000000000000000001']) {
    const before = await manifestBytes(systemId);
    await using spool = openSpool({ directory });
    const options = { increments, spool, what: 'the manifest' };
    const amended = deltaManifest(lentChunks(before, [50, 7]), options);
    const bytes = await collect(amended, { maxBytes: 1e6, what: 'manifest' });
    const { files, ...frame } = parseManifest(bytes, 'amended');
    const { files: _, sha256: __, ...expected } = parseManifest(before, 'before');
    assert.deepEqual({ ...frame, sha256: '' }, { ...expected, sha256: '' });
    const changed = { path: 'base/5/INCREMENTAL.2', bytes: 16, checksum: crc32cHex(0x01020304) };
    assert.deepEqual(
      files,
      FILES.map((file) => (file.path === 'base/5/2' ? { ...file, ...changed } : file)),
    );
  }
});

test('a manifest that came damaged is refused before anything of it is given', async () => {
  const bytes = await manifestBytes(undefined);
  bytes[bytes.indexOf('8192')] = 0x39;
  await using spool = openSpool({ directory });
  const options = { increments: new FileSums(), spool, what: 'the manifest' };
  const amended = deltaManifest(sourceOf(bytes), options)[Symbol.asyncIterator]();
  await assert.rejects(
    () => amended.next(),
    (error) => isTsbkError(error, 'record-invalid'),
  );
});
