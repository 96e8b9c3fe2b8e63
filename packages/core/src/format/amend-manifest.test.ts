import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { instantFromMs } from '../kernel/instant.ts';
import { toLsn } from '../kernel/lsn.ts';
import { toSystemId } from '../kernel/system-id.ts';
import { crc32c, crc32cHex } from './crc32c.ts';
import { formatManifest } from './format-manifest.ts';
import { parseManifest, type ManifestFile } from './manifest.ts';
import type { ByteSource } from '../ports/bytes.ts';
import { collect } from '../stream/collect.ts';
import { amendManifest } from './amend-manifest.ts';

const file = (path: string): ManifestFile => ({
  path,
  bytes: 5,
  modified: instantFromMs(0),
  checksumAlgorithm: 'CRC32C',
  checksum: '00000000',
});

async function manifestOf(files: readonly ManifestFile[]): Promise<Buffer> {
  const walRanges = [{ timeline: 1, startLsn: toLsn(40), endLsn: toLsn(80) }];
  const source = formatManifest({ systemId: toSystemId(2n ** 63n + 1n), files, walRanges });
  return await collect(source, { maxBytes: 1e6, what: 'manifest' });
}

async function* chunked(bytes: Uint8Array, size: number): ByteSource {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe('amendManifest', () => {
  it('changes one file and stays a valid manifest, wherever chunks end', async () => {
    const paths = ['base/1/5', 'tablespace_map', 'x/tablespace_map', 'PG_VERSION'];
    const before = await manifestOf(paths.map(file));
    const content = Buffer.from('16400 /new\n');
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: before.length }), async (size) => {
        const changed = { path: 'tablespace_map', content };
        const source = amendManifest(chunked(before, size), changed);
        const text = await collect(source, { maxBytes: 1e6, what: 'manifest' });
        const { files, systemId } = parseManifest(text, 'manifest');
        const checksum = crc32cHex(crc32c(content));
        assert.equal(systemId, 2n ** 63n + 1n);
        assert.deepEqual(
          files,
          paths.map((path) =>
            path === 'tablespace_map' ? { ...file(path), bytes: 11, checksum } : file(path),
          ),
        );
      }),
    );
  });

  it('changes nothing if the manifest does not list the file', async () => {
    const before = await manifestOf([file('PG_VERSION')]);
    const source = amendManifest(chunked(before, 50), { path: 'x', content: Buffer.from('') });
    assert.deepEqual(await collect(source, { maxBytes: 1e6, what: 'manifest' }), before);
  });
});
