import assert from 'node:assert/strict';
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { crc32c, crc32cHex } from '@tsbk/core/format/crc32c';

interface Manifest {
  readonly Files: readonly {
    readonly Path: string;
    readonly Size: number;
    readonly Checksum: string;
  }[];
}

/**
 * Holds every file of a restored directory against its `backup_manifest`, as `pg_verifybackup` does,
 * which the machine may have in an older version only.
 */
export async function manifestHolds(directory: string): Promise<void> {
  const text = readFileSync(join(directory, 'backup_manifest'), 'utf8');
  const { Files: files } = JSON.parse(text) as Manifest;
  assert.ok(files.length > 500, `${files.length} files in the manifest`);
  for (const { Path: path, Size: bytes, Checksum: checksum } of files) {
    assert.ok(!path.includes('INCREMENTAL.'), path);
    // A restore writes into it, and `pg_verifybackup` passes it over.
    if (path === 'postgresql.auto.conf') continue;
    const file = join(directory, path);
    assert.equal(statSync(file).size, bytes, path);
    let crc = 0;
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      crc = crc32c(chunk, crc);
    }
    assert.equal(crc32cHex(crc), checksum, path);
  }
}
