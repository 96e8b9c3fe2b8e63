import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isTsbkError } from '../kernel/errors.ts';
import { instantFromMs, toInstant } from '../kernel/instant.ts';
import { toLsn } from '../kernel/lsn.ts';
import { toSystemId } from '../kernel/system-id.ts';
import type { ByteSource } from '../ports/bytes.ts';
import { collect } from '../stream/collect.ts';
import { crc32c, crc32cHex } from './crc32c.ts';
import { formatManifest } from './format-manifest.ts';
import { parseManifest, readManifest, type ManifestFile } from './manifest.ts';

/** Lines as PostgreSQL 18 writes them. */
const BODY = `{ "PostgreSQL-Backup-Manifest-Version": 2,
"System-Identifier": 7710808979494248132,
"Files": [
{ "Path": "pg_tblspc/16384/PG_18_202506291/5/16385", "Size": 65536, "Last-Modified": "2026-11-22 01:58:51 GMT", "Checksum-Algorithm": "CRC32C", "Checksum": "be17ea64" },
{ "Path": "a\\"b\\\\c\\n\\u001f é", "Size": 0, "Last-Modified": "1969-12-31 23:59:59 GMT" },
{ "Encoded-Path": "62617365e4ff", "Size": 8192, "Last-Modified": "2026-11-22 01:58:51 GMT", "Checksum-Algorithm": "CRC32C", "Checksum": "93513075" }
],
"WAL-Ranges": [
{ "Timeline": 2, "Start-LSN": "0/2000000", "End-LSN": "0/2000120" },
{ "Timeline": 1, "Start-LSN": "0/1000028", "End-LSN": "0/2000000" }
],
`;
const VERSION_1 = BODY.replace('Version": 2', 'Version": 1').replace(/"System-Identifier.*\n/, '');

/** The body with the last line that belongs to it. */
function signed(body: string): Buffer {
  const sum = createHash('sha256').update(body).digest('hex');
  return Buffer.from(`${body}"Manifest-Checksum": "${sum}"}\n`);
}

function refuses(bytes: Buffer, problem: RegExp): void {
  assert.throws(
    () => parseManifest(bytes, 'backup_manifest'),
    (error) => {
      assert.ok(isTsbkError(error, 'record-invalid'), String(error));
      assert.match(error.message, /^backup_manifest/);
      assert.match(error.message, problem);
      return true;
    },
  );
}

describe('parseManifest', () => {
  it('reads a manifest of version 2', () => {
    const manifest = parseManifest(signed(BODY), 'backup_manifest');
    assert.equal(manifest.version, 2);
    assert.equal(manifest.systemId, 7710808979494248132n);
    assert.deepEqual(manifest.walRanges, [
      { timeline: 2, startLsn: 0x2000000n, endLsn: 0x2000120n },
      { timeline: 1, startLsn: 0x1000028n, endLsn: 0x2000000n },
    ]);
    assert.deepEqual(manifest.files, [
      {
        path: 'pg_tblspc/16384/PG_18_202506291/5/16385',
        bytes: 65536,
        modified: instantFromMs(Date.UTC(2026, 10, 22, 1, 58, 51)),
        checksumAlgorithm: 'CRC32C',
        checksum: 'be17ea64',
      },
      {
        path: 'a"b\\c\n\u001f é',
        bytes: 0,
        modified: toInstant(-1_000_000_000n),
        checksumAlgorithm: 'NONE',
        checksum: '',
      },
      {
        path: 'base\ufffd\ufffd',
        rawPath: Buffer.from('base\xe4\xff', 'latin1'),
        bytes: 8192,
        modified: instantFromMs(Date.UTC(2026, 10, 22, 1, 58, 51)),
        checksumAlgorithm: 'CRC32C',
        checksum: '93513075',
      },
    ]);
  });

  it('reads version 1, which has no system identifier', () => {
    const manifest = parseManifest(signed(VERSION_1), 'backup_manifest');
    assert.deepEqual([manifest.version, manifest.systemId], [1, undefined]);
    assert.equal(manifest.files.length, 3);
  });

  it('gives a path as it is that was encoded without need', () => {
    const body = BODY.replace('62617365e4ff', '62617365');
    const file = parseManifest(signed(body), 'm').files[2];
    assert.equal(file?.path, 'base');
    assert.equal(file?.rawPath, undefined);
  });

  it('refuses any changed byte', () => {
    const bytes = signed(BODY);
    for (let index = 0; index < bytes.length; index += 1) {
      const damaged = Buffer.from(bytes);
      damaged[index] = (damaged[index] ?? 0) ^ 1;
      refuses(damaged, /./);
    }
  });

  it('refuses a manifest cut off anywhere', () => {
    const bytes = signed(BODY);
    for (let length = 0; length < bytes.length; length += 1)
      refuses(bytes.subarray(0, length), /./);
  });

  it('refuses a wrong checksum and what comes after the end', () => {
    refuses(Buffer.from(signed(BODY).toString().replace('65536', '65537')), /the checksum it says/);
    refuses(Buffer.concat([signed(BODY), Buffer.from('x\n')]), /line 13 comes after the end/);
    refuses(Buffer.concat([signed(BODY), Buffer.from('x')]), /cut off/);
  });

  it('refuses unknown versions and lines', () => {
    refuses(signed(BODY.replace('Version": 2', 'Version": 3')), /version 3/);
    refuses(signed(VERSION_1.replace('Version": 1', 'Version": 2')), /line 2 cannot be read/);
    const lines: readonly (readonly [string, string])[] = [
      ['65536', '-1'],
      ['65536', '"1"'],
      ['65536', '9007199254740993'],
      ['be17ea64', 'be17ea6'],
      ['be17ea64', 'be17ea6x'],
      ['CRC32C', 'MD5'],
      ['CRC32C', 'toString'],
      ['01:58:51 GMT', '01:58:51 CET'],
      ['"Path": "pg', '"path": "pg'],
      ['{ "Path"', '{ "Encoded-Path": "61", "Path"'],
      ['pg_tblspc/16384/PG_18_202506291/5/16385', ''],
      ['{ "Path"', '"Path"'],
    ];
    for (const [from, to] of lines)
      refuses(signed(BODY.replace(from, to)), /line 4 cannot be read/);
    refuses(signed(BODY.replace('e4ff', 'e4f')), /line 6/);
    refuses(signed(BODY.replace('0/2000120', '2000120')), /line 9/);
    refuses(signed(BODY.replace('],\n"WAL', ']\n"WAL')), /line 7/);
  });

  it('refuses a line that is longer than any PostgreSQL writes', () => {
    refuses(Buffer.from(`{ "${'x'.repeat(70_000)}`), /line 1 is too long/);
    refuses(signed(BODY.replace('base', 'x')).fill(0xff, 200, 210), /line 4/);
  });
});

describe('readManifest', () => {
  it('reads the same from chunks of any size', async () => {
    const bytes = signed(BODY);
    const expected = parseManifest(bytes, 'm');
    for (const chunkBytes of [1, 2, 7, 100, 1000, 100_000]) {
      const files: ManifestFile[] = [];
      const summary = await readManifest(chunksOf(bytes, chunkBytes), {
        what: 'm',
        onFile: (file) => files.push(file),
      });
      assert.deepEqual({ ...summary, files }, expected);
    }
  });
});

describe('formatManifest', () => {
  it('writes the bytes PostgreSQL writes', async () => {
    for (const bytes of [signed(BODY), signed(VERSION_1)]) {
      const manifest = parseManifest(bytes, 'm');
      assert.equal((await written(manifest)).toString(), bytes.toString());
    }
  });

  it('writes what parseManifest reads', async () => {
    const file = fc
      .record({
        path: fc
          .string({ unit: 'binary', minLength: 1 })
          .map((path) => Buffer.from(path).toString()),
        bytes: fc.maxSafeNat(),
        modified: fc
          .integer({ min: -1e9, max: 1e10 })
          .map((s) => toInstant(BigInt(s) * 1_000_000_000n)),
        checksumAlgorithm: fc.constant('CRC32C' as const),
        checksum: fc.uint8Array().map((bytes) => crc32cHex(crc32c(bytes))),
      })
      .map((each) => ({ ...each }));
    const walRanges = [{ timeline: 1, startLsn: toLsn(1n), endLsn: toLsn(2n ** 64n - 1n) }];
    await fc.assert(
      fc.asyncProperty(fc.array(file), async (files) => {
        const systemId = toSystemId(2n ** 64n - 1n);
        const manifest = parseManifest(await written({ systemId, files, walRanges }), 'm');
        assert.deepEqual(manifest.files, files);
        assert.deepEqual(manifest.walRanges, walRanges);
        assert.equal(manifest.systemId, systemId);
      }),
    );
  });

  it('writes many files in chunks of limited size', async () => {
    const file = parseManifest(signed(BODY), 'm').files[0];
    const files = Array.from({ length: 2000 }, () => file).filter((each) => each !== undefined);
    let largest = 0;
    for await (const chunk of formatManifest({ systemId: undefined, files, walRanges: [] })) {
      largest = Math.max(largest, chunk.length);
    }
    assert.ok(largest > 60_000 && largest < 70_000);
  });
});

describe('crc32cHex', () => {
  it('has the four bytes in memory order, as PostgreSQL has for "18\\n"', () => {
    assert.equal(crc32cHex(crc32c(Buffer.from('18\n'))), '994e7be2');
  });
});

function written(content: Parameters<typeof formatManifest>[0]): Promise<Buffer> {
  return collect(formatManifest(content), { maxBytes: 1e8, what: 'm' });
}

async function* chunksOf(bytes: Uint8Array, chunkBytes: number): ByteSource {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}
