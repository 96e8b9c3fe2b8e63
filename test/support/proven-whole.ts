import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { sha256OfFile } from './file-tree.ts';

interface SideRecord {
  readonly wal_first: string;
  readonly wal_last: string;
  readonly objects: Readonly<
    Record<string, { readonly stored: { readonly bytes: number; readonly sha256: string } }>
  >;
}

/**
 * Proves that a backup in a directory is whole: every object that its side record names is there
 * with that length and that hash, every tar is named, the records are there and so is the WAL.
 * Uses nothing of tsbk; the objects must be neither compressed nor encrypted.
 */
export async function provenWhole(root: string, backup: string): Promise<void> {
  const folder = join(root, 'basebackups_005', backup);
  const read = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));
  const side = read(join(folder, 'tsbk.json')) as SideRecord;
  for (const [key, { stored }] of Object.entries(side.objects)) {
    const path = join(folder, key);
    assert.equal(statSync(path).size, stored.bytes, key);
    assert.equal(await sha256OfFile(path), stored.sha256, key);
  }
  const tars = readdirSync(join(folder, 'tar_partitions'));
  assert.ok(tars.length >= 3);
  assert.deepEqual(
    tars.filter((tar) => !(`tar_partitions/${tar}` in side.objects)),
    [],
  );
  const { TarFileSets: sets } = read(join(folder, 'files_metadata.json')) as {
    TarFileSets: object;
  };
  assert.deepEqual(
    tars.filter((tar) => !(tar in sets)),
    ['pg_control.tar'],
  );
  const sentinel = read(`${folder}_backup_stop_sentinel.json`) as Record<string, unknown>;
  assert.equal(sentinel['Version'], 2);
  const metadata = read(join(folder, 'metadata.json')) as Record<string, unknown>;
  assert.equal(metadata['compressed_size'], sentinel['CompressedSize']);
  for (const segment of [side.wal_first, side.wal_last]) {
    assert.ok(existsSync(join(root, 'wal_005', segment)), segment);
  }
}
