import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import { toInstant } from '../kernel/instant.ts';
import { crc32c, crc32cHex } from '../format/crc32c.ts';
import { formatManifest } from '../format/format-manifest.ts';
import type { ManifestFile } from '../format/manifest.ts';
import { chunked } from '../stream/chunked.ts';
import { IncrementsSent } from './increments-sent.ts';

const CONTENT = Buffer.from('what the server sent of a file');

function fileOf(path: string, content: Uint8Array = CONTENT): ManifestFile {
  const checksum = crc32cHex(crc32c(content));
  const modified = toInstant(0n);
  return { path, bytes: content.length, modified, checksumAlgorithm: 'CRC32C', checksum };
}

/** Sends these members, then a manifest with these lines. */
async function check(paths: readonly string[], files: readonly ManifestFile[]): Promise<void> {
  const sent = new IncrementsSent();
  for (const path of paths) {
    for await (const _ of sent.summing(path, chunked(CONTENT, [7]))) continue;
  }
  const manifest = formatManifest({ files, systemId: undefined, walRanges: [] });
  for await (const _ of sent.checking('m')(manifest)) continue;
}

function refuses(work: Promise<void>, words: RegExp): Promise<void> {
  return assert.rejects(
    work,
    (error) => isTsbkError(error, 'protocol-violation') && words.test(error.message),
  );
}

describe('IncrementsSent', () => {
  // More than its table first holds.
  const many = Array.from({ length: 3000 }, (_, index) => `base/5/INCREMENTAL.${index}`);

  it('lets a manifest pass that says what was sent', async () => {
    const whole = fileOf('base/5/1259', Buffer.from('sent whole, and not looked at'));
    await check(many, [whole, ...many.map((path) => fileOf(path))]);
  });

  it('refuses a manifest that says something else', async () => {
    const [one = ''] = many;
    await refuses(
      check([one], [fileOf(one, Buffer.from(CONTENT).fill('x', 3, 4))]),
      /not what its manifest says/,
    );
    const longer = { ...fileOf(one), bytes: CONTENT.length + 1 };
    await refuses(check([one], [longer]), /not what its manifest says/);
    await refuses(check([one], []), /not in the manifest/);
    await refuses(check([], [fileOf(one)]), /did not come/);
  });
});
