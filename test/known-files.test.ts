/** What a delta knows of its parent, from records in a store. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { knownOrProblem } from '@tsbk/core/backup/known-files';
import { formatManifest } from '@tsbk/core/format/format-manifest';
import type { JsonObject } from '@tsbk/core/format/json';
import { parseInstant, toInstant } from '@tsbk/core/kernel/instant';
import { toLsn } from '@tsbk/core/kernel/lsn';
import type { TreePath } from '@tsbk/core/kernel/tree-path';
import { collect } from '@tsbk/core/stream/collect';
import { fakeRepository } from './support/fake-repository.ts';

const root = mkdtempSync(join(tmpdir(), 'tsbk-known-files-'));
after(() => rmSync(root, { recursive: true, force: true }));

const MODIFIED = '2026-05-06T07:08:09.123456789+02:00';
const FILES: JsonObject = {
  '/base/5/1': { MTime: MODIFIED },
  '/base/5/2': { MTime: MODIFIED, IsIncremented: true },
  '/größe': { MTime: MODIFIED },
  '/timeless': { MTime: 'yesterday' },
  'base/5/3': { MTime: MODIFIED },
};
const path = (text: string): TreePath => Buffer.from(text).toString('latin1') as TreePath;

async function manifest(): Promise<Buffer> {
  const facts = { modified: toInstant(0n), checksumAlgorithm: 'CRC32C' } as const;
  const files = [
    { ...facts, path: 'base/5/1', bytes: 8192, checksum: '04030201' },
    { ...facts, path: 'base/5/INCREMENTAL.2', bytes: 16, checksum: '04030201' },
    { ...facts, path: 'größe', bytes: 7, checksum: 'ffffffff' },
    { ...facts, path: 'unlisted', bytes: 7, checksum: 'ffffffff' },
  ];
  const source = formatManifest({ files, systemId: undefined, walRanges: [] });
  return await collect(source, { maxBytes: 1e6, what: 'manifest' });
}

/** A parent with these files and this manifest. */
async function parentOf(
  name: string,
  { files, content }: { readonly files?: JsonObject; readonly content?: Buffer },
) {
  const site = fakeRepository(join(root, name));
  const backup = site.backup({
    startLsn: toLsn(0x500_0000n),
    stopLsn: toLsn(0x500_0100n),
    startTime: toInstant(0n),
    finishTime: toInstant(1n),
    ...(files === undefined ? {} : { filesMetadata: { Files: files } }),
  });
  const key = `basebackups_005/${backup}/backup_manifest`;
  if (content !== undefined) site.put(key, content);
  const promised = { key, extension: '', record: undefined };
  return await knownOrProblem(
    await site.open(),
    { name: backup, manifest: content === undefined ? undefined : promised },
    { signal: AbortSignal.timeout(60_000) },
  );
}

test('a delta knows times, and lengths and checksums of whole files', async () => {
  const known = await parentOf('all', { files: FILES, content: await manifest() });
  assert.ok(typeof known !== 'string');
  const modified = parseInstant(MODIFIED);
  assert.deepEqual(known.of(path('base/5/1')), { modified, sum: { bytes: 8192, crc: 0x01020304 } });
  assert.deepEqual(known.of(path('base/5/2')), { modified, sum: undefined });
  assert.deepEqual(known.of(path('größe')), { modified, sum: { bytes: 7, crc: 0xffff_ffff } });
  assert.deepEqual(known.of(path('timeless')), { modified: undefined, sum: undefined });
});

test('a delta knows nothing of files whose names the tars of their parent do not have', async () => {
  const known = await parentOf('names', { files: FILES, content: await manifest() });
  assert.ok(typeof known !== 'string');
  for (const name of ['base/5/3', 'unlisted', 'base/5']) {
    assert.equal(known.of(path(name)), undefined);
  }
  assert.equal(known.of('gr\xf6\xdfe' as TreePath), undefined);
});

test('a delta of a parent without a manifest knows times', async () => {
  const known = await parentOf('plain', { files: FILES });
  assert.ok(typeof known !== 'string');
  assert.deepEqual(known.of(path('base/5/1')), {
    modified: parseInstant(MODIFIED),
    sum: undefined,
  });
});

test('nothing is built on a parent whose records are damaged or missing', async () => {
  const content = await manifest();
  content[content.indexOf('8192')] = 0x39;
  for (const [parent, problem] of [
    [await parentOf('damaged', { files: FILES, content }), /backup_manifest/],
    [await parentOf('missing', {}), /has no files_metadata.json/],
  ] as const) {
    assert.ok(typeof parent === 'string');
    assert.match(parent, problem);
  }
});
