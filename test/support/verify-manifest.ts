import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32c, crc32cHex } from '@tsbk/core/format/crc32c';
import { parseManifest } from '@tsbk/core/format/manifest';
import { treeOf } from './file-tree.ts';

/** What `pg_verifybackup` lets pass: it is not of the backup. */
const OTHERS =
  /^(?:backup_manifest|postgresql\.auto\.conf|recovery\.signal|standby\.signal|pg_wal\/.*)$/;

/**
 * Does what `pg_verifybackup --no-parse-wal` does, for manifests that the one of the machine is too old
 * for: every file has the length and CRC-32C of its line, and there is no other. Files of tablespaces
 * are looked up through their links, and not looked for there.
 */
export function verifyManifest(directory: string): void {
  const path = join(directory, 'backup_manifest');
  const { files } = parseManifest(readFileSync(path), path);
  for (const file of files) {
    if (file.path === 'postgresql.auto.conf') continue;
    const content = readFileSync(join(directory, file.path));
    assert.equal(content.length, file.bytes, file.path);
    assert.equal(crc32cHex(crc32c(content)), file.checksum, file.path);
  }
  const known = new Set(files.map((file) => file.path));
  const extra = treeOf(directory).filter(
    ({ kind, path: found }) => kind === 'file' && !known.has(found) && !OTHERS.test(found),
  );
  assert.deepEqual(extra, []);
}
