/** readTar and writeTar against GNU tar, both ways. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { toInstant } from '@tsbk/core/kernel/instant';
import type { ByteSource } from '@tsbk/core/ports/bytes';
import { collect } from '@tsbk/core/stream/collect';
import { sourceOf } from '@tsbk/core/stream/source';
import { readTar } from '@tsbk/core/format/tar/read';
import { safeMemberPath } from '@tsbk/core/format/tar/safe-path';
import {
  encodeHeader,
  endOfArchive,
  padding,
  writeTar,
  type TarMember,
} from '@tsbk/core/format/tar/write';

const scratch = mkdtempSync(join(tmpdir(), 'tsbk-tar-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

const LONG = `${'d'.repeat(90)}/${'e'.repeat(90)}/${'f'.repeat(120)}`;
const HUGE_BYTES = 9_000_000_000;
const MODIFIED = 1_795_311_591n;
const FILE: TarMember = {
  kind: 'file',
  name: 'f',
  bytes: 0,
  mode: 0o640,
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  modified: toInstant(MODIFIED * 1_000_000_000n),
};
/** One character a byte: Linux names are bytes. */
const NAMES = [
  'plain',
  'with space',
  'a=b',
  'new\nline',
  'back\\slash',
  '[x',
  '-dash',
  '\xe4\xff',
  'gr\xc3\xbcn',
];

function tar(args: readonly string[], input?: Uint8Array): Buffer {
  return execFileSync('tar', args, {
    env: { ...process.env, LC_ALL: 'C' },
    maxBuffer: 64 * 1024 * 1024,
    ...(input === undefined ? {} : { input }),
  });
}

function latin1(path: string): Buffer {
  return Buffer.from(path, 'latin1');
}

/** Path → content, `dir` or `-> target`, of everything below a directory; names as latin1. */
function contentOf(directory: string): Map<string, string> {
  const found = new Map<string, string>();
  const walk = (path: string): void => {
    for (const entry of readdirSync(latin1(join(directory, path)), { encoding: 'buffer' })) {
      const name = join(path, entry.toString('latin1'));
      const full = latin1(join(directory, name));
      const stat = lstatSync(full);
      if (stat.isSymbolicLink()) found.set(name, `-> ${readlinkSync(full).toString()}`);
      else if (stat.isDirectory()) {
        found.set(name, 'dir');
        walk(name);
      } else found.set(name, readFileSync(full).toString('latin1'));
    }
  };
  walk('');
  return found;
}

async function contentIn(source: ByteSource): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const { header, body } of readTar(source)) {
    const raw = header.rawName ?? Buffer.from(header.name);
    const name = safeMemberPath(Buffer.from(raw).toString('latin1'));
    const content = await collect(body, { maxBytes: 1e6, what: name });
    if (header.kind === 'file') found.set(name, content.toString('latin1'));
    else found.set(name, header.kind === 'directory' ? 'dir' : `-> ${header.linkName}`);
  }
  return found;
}

function makeTree(directory: string, { long }: { readonly long: boolean }): void {
  mkdirSync(join(directory, 'sub/empty'), { recursive: true });
  writeFileSync(join(directory, 'sub/b'), Buffer.alloc(3000, 7));
  writeFileSync(join(directory, 'none'), '');
  writeFileSync(join(directory, 'block'), Buffer.alloc(512, 8));
  symlinkSync('sub/b', join(directory, 'link'));
  for (const name of NAMES) writeFileSync(latin1(join(directory, 'sub', name)), name);
  if (!long) return;
  mkdirSync(join(directory, LONG, '..'), { recursive: true });
  writeFileSync(join(directory, LONG), 'far down');
  symlinkSync(`../${LONG}`, join(directory, 'sub/long-link'));
}

describe('readTar', () => {
  for (const format of ['gnu', 'posix', 'ustar', 'v7', 'oldgnu']) {
    it(`reads what GNU tar writes in ${format} format`, async () => {
      const directory = join(scratch, `read-${format}`);
      const long = format !== 'ustar' && format !== 'v7';
      makeTree(directory, { long });
      const archive = `${directory}.tar`;
      tar([`--format=${format}`, '-cf', archive, '-C', directory, ...readdirSync(directory)]);
      const expected = contentOf(directory);
      assert.ok(expected.size > NAMES.length);
      for (const chunkBytes of [1, 700, 65_536]) {
        const found = await contentIn(chunksOf(readFileSync(archive), chunkBytes));
        assert.deepEqual(sorted(found), sorted(expected));
      }
    });
  }

  for (const format of ['gnu', 'posix', 'oldgnu']) {
    it(`reads the size of a 9 GB file in ${format} format`, async () => {
      const file = join(scratch, 'huge');
      writeFileSync(file, '');
      truncateSync(file, HUGE_BYTES);
      const command = `tar --format=${format} -cf - -C "$0" huge | head -c 4096`;
      const head = execFileSync('sh', ['-c', command, scratch]);
      rmSync(file);
      const headerBytes = format === 'posix' ? 3 * 512 : 512;
      const source = hugeArchive(head.subarray(0, headerBytes));
      assert.deepEqual(await sizesIn(source), [HUGE_BYTES, 0]);
    });
  }

  it('refuses a sparse file of any format', async () => {
    const file = join(scratch, 'sparse');
    writeFileSync(file, 'x');
    truncateSync(file, 10_000_000);
    for (const args of [
      ['--format=gnu'],
      ['--format=posix', '--sparse-version=0.1'],
      ['--format=posix', '--sparse-version=1.0'],
    ]) {
      const archive = tar([...args, '-S', '-cf', '-', '-C', scratch, 'sparse']);
      await assert.rejects(sizesIn(sourceOf(archive)), /sparse/);
    }
  });
});

describe('writeTar', () => {
  it('writes what GNU tar extracts, byte for byte', async () => {
    const members: readonly TarMember[] = [
      { ...FILE, kind: 'directory', name: '/sub', mode: 0o700 },
      { ...FILE, kind: 'directory', name: './empty/', mode: 0o750 },
      ...NAMES.map((name) => ({
        ...FILE,
        name: `sub/${Buffer.from(name, 'latin1').toString()}`,
        rawName: latin1(`sub/${name}`),
        bytes: name.length,
      })),
      { ...FILE, name: `/${LONG}`, bytes: 513 },
      { ...FILE, name: `/${'\xe4'.repeat(120)}`, rawName: Buffer.alloc(120, 0xe4), bytes: 1 },
      { ...FILE, name: 'none' },
      { ...FILE, kind: 'symlink', name: 'link', linkName: `sub/${'x'.repeat(150)}` },
    ];
    const directory = join(scratch, 'extracted');
    mkdirSync(directory);
    tar(['-xpf', '-', '-C', directory], await archiveOf(members));
    const found = contentOf(directory);
    for (const member of members.filter(({ kind }) => kind === 'file')) {
      const raw = member.rawName ?? Buffer.from(member.name);
      const path = safeMemberPath(Buffer.from(raw).toString('latin1'));
      assert.equal(found.get(path), 'c'.repeat(member.bytes), path);
      const stat = lstatSync(latin1(join(directory, path)));
      assert.equal(stat.mode & 0o7777, member.mode);
      assert.equal(BigInt(stat.mtimeMs), MODIFIED * 1000n);
    }
    assert.equal(found.get('link'), `-> sub/${'x'.repeat(150)}`);
    assert.equal(lstatSync(join(directory, 'sub')).mode & 0o7777, 0o700);
    assert.equal(lstatSync(join(directory, 'empty')).mode & 0o7777, 0o750);
  });

  it('writes sizes beyond 8 GiB that GNU tar understands', () => {
    const archive = join(scratch, 'huge.tar');
    const header = encodeHeader({ ...FILE, name: 'huge', bytes: HUGE_BYTES });
    const next = Buffer.concat([encodeHeader({ ...FILE, name: 'next' }), endOfArchive()]);
    // The body is a hole that tar seeks over.
    const file = openSync(archive, 'w');
    writeSync(file, header);
    const end = header.length + HUGE_BYTES + padding(HUGE_BYTES).length;
    writeSync(file, next, 0, next.length, end);
    closeSync(file);
    const listing = tar(['-tvf', archive]).toString();
    assert.match(listing, / 9000000000 .* huge\n.* 0 .* next\n$/);
  });

  it('ends archives so that GNU tar has nothing to complain of', async () => {
    const archive = await archiveOf([{ ...FILE, bytes: 100 }]);
    assert.equal(tar(['-tf', '-'], archive).toString(), 'f\n');
  });
});

async function archiveOf(members: readonly TarMember[]): Promise<Buffer> {
  const inputs = async function* () {
    for (const header of members) yield { header, body: sourceOf(Buffer.alloc(header.bytes, 'c')) };
  };
  return collect(writeTar(inputs()), { maxBytes: 1e6, what: 'archive' });
}

/** The header given, nine billion bytes, another member and the end; nothing of it is on a disk. */
async function* hugeArchive(header: Uint8Array): ByteSource {
  yield header;
  const chunk = Buffer.alloc(1_000_000);
  for (let bytes = 0; bytes < HUGE_BYTES; bytes += chunk.length) yield chunk;
  yield padding(HUGE_BYTES);
  yield encodeHeader(FILE);
  yield endOfArchive();
}

async function* chunksOf(bytes: Uint8Array, chunkBytes: number): ByteSource {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

async function sizesIn(source: ByteSource): Promise<number[]> {
  const sizes: number[] = [];
  for await (const { header } of readTar(source)) sizes.push(header.bytes);
  return sizes;
}

function sorted(map: ReadonlyMap<string, string>): readonly (readonly [string, string])[] {
  return [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
