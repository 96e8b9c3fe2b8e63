import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import { NameIndexBuilder } from '../kernel/name-index.ts';
import { parseManifest } from '../format/manifest.ts';
import { chunked } from '../stream/chunked.ts';
import { collect } from '../stream/collect.ts';
import { filterManifest } from './parent-manifest.ts';

const BYTES_MAX = 1024 * 1024;

function line(path: string, key = 'Path'): string {
  return `{ "${key}": "${path}", "Size": 8192, "Last-Modified": "2026-11-22 01:58:51 GMT", "Checksum-Algorithm": "CRC32C", "Checksum": "be17ea64" }`;
}

/** A manifest as PostgreSQL writes it, with these lines of files. */
function manifest(lines: readonly string[]): Buffer {
  const body = `{ "PostgreSQL-Backup-Manifest-Version": 2,
"System-Identifier": 18446744073709551557,
"Files": [
${lines.join(',\n')}
],
"WAL-Ranges": [
{ "Timeline": 2, "Start-LSN": "0/2000000", "End-LSN": "0/2000120" },
{ "Timeline": 1, "Start-LSN": "0/1000028", "End-LSN": "0/2000000" }
],
`;
  const sum = createHash('sha256').update(body).digest('hex');
  return Buffer.from(`${body}"Manifest-Checksum": "${sum}"}\n`);
}

async function filtered(
  bytes: Uint8Array,
  listed: readonly string[],
  chunkBytes = 100,
): Promise<Buffer> {
  const names = new NameIndexBuilder();
  for (const name of listed) names.add(name);
  const source = filterManifest(chunked(bytes, [chunkBytes]), {
    what: 'the manifest',
    listed: names.index(),
  });
  return await collect(source, { maxBytes: BYTES_MAX, what: 'the manifest' });
}

const KEPT = [
  'base/5/1259',
  'base/5/INCREMENTAL.16384.1',
  'pg_tblspc/16400/PG_17_202406281/5/16401',
];
const LEFT_OUT = [
  'PG_VERSION',
  'global/1262',
  'base/5/1259_vm',
  'base/5/INCREMENTAL.7_fsm',
  'base/5/99',
];
const LISTED = [
  '/base/5/1259',
  '/base/5/16384.1',
  '/pg_tblspc/16400/PG_17_202406281/5/16401',
  '/PG_VERSION',
  '/global/1262',
  '/base/5/1259_vm',
  '/base/5/7_fsm',
  // As WAL-G's remote backups have it: under this name it finds nothing.
  'base/5/99',
];

describe('filterManifest', () => {
  it('keeps the files that may be increments, byte for byte, and signs what is left', async () => {
    const whole = manifest([...LEFT_OUT, ...KEPT].map((path) => line(path)));
    const mixed = manifest([...KEPT, ...LEFT_OUT].map((path) => line(path)));
    const wanted = manifest(KEPT.map((path) => line(path)));
    for (const bytes of [1, 7, 100, 5000]) {
      assert.equal(String(await filtered(whole, LISTED, bytes)), String(wanted));
      assert.equal(String(await filtered(mixed, LISTED, bytes)), String(wanted));
    }
    assert.equal(parseManifest(wanted, 'm').systemId, 18446744073709551557n);
  });

  it('leaves a manifest of no file at all', async () => {
    const bytes = await filtered(manifest([line('PG_VERSION')]), LISTED);
    assert.deepEqual(parseManifest(bytes, 'm').files, []);
  });

  it('never signs what was changed', async () => {
    const bytes = manifest(KEPT.map((path) => line(path)));
    const is = (words: RegExp) => (error: unknown) =>
      isTsbkError(error, 'record-invalid') && words.test(error.message);
    const changed = Buffer.from(String(bytes).replace('0/2000120', '0/2000121'));
    await assert.rejects(filtered(changed, LISTED), is(/checksum it says/));
    await assert.rejects(filtered(bytes.subarray(0, -2), LISTED), is(/cut off/));
    await assert.rejects(filtered(bytes.subarray(0, -90), LISTED), is(/cut off/));
    await assert.rejects(filtered(Buffer.concat([bytes, bytes]), LISTED), is(/goes on/));
    await assert.rejects(filtered(manifest(['{ "Path": 5 }']), LISTED), is(/cannot be read/));
    const endless = Buffer.concat([bytes, Buffer.alloc(100_000, 'x')]);
    await assert.rejects(filtered(endless, LISTED), is(/line without end/));
  });
});
