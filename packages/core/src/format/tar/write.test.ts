import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isTsbkError } from '../../kernel/errors.ts';
import { toInstant } from '../../kernel/instant.ts';
import type { ByteSource } from '../../ports/bytes.ts';
import { collect } from '../../stream/collect.ts';
import { sourceOf } from '../../stream/source.ts';
import type { TarHeader } from './header.ts';
import { readTar } from './read.ts';
import {
  encodeHeader,
  endOfArchive,
  padding,
  writeTar,
  type TarInput,
  type TarMember,
} from './write.ts';

const FILE: TarMember = {
  kind: 'file',
  name: '/base/5/1259',
  bytes: 0,
  mode: 0o600,
  uid: 101,
  gid: 104,
  modified: toInstant(1_795_311_591_000_000_000n),
};

async function headerOf(member: TarMember): Promise<TarHeader | undefined> {
  const source = sourceOf(encodeHeader(member), endOfArchive());
  for await (const { header } of readTar(source)) return header;
  return undefined;
}

function archiveOf(...members: readonly TarInput[]): Promise<Buffer> {
  const source = writeTar(
    (async function* () {
      yield* members;
    })(),
  );
  return collect(source, { maxBytes: 1e6, what: 'test' });
}

const name = fc.oneof(
  fc.string({ minLength: 1, maxLength: 30 }),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 120 }),
  fc
    .array(fc.constantFrom('a', 'bc/', '/', 'x'.repeat(60)), { minLength: 1 })
    .map((p) => p.join('')),
);
const text = name.filter((n) => !n.includes('\0')).map((n) => Buffer.from(n).toString());
const id = fc.oneof(fc.nat(3_000_000), fc.maxSafeNat());
const common = {
  mode: fc.nat(0o7777),
  uid: id,
  gid: id,
  name: text,
  modified: fc.bigInt(-(10n ** 11n), 10n ** 11n).map((s) => toInstant(s * 1_000_000_000n)),
};
const member: fc.Arbitrary<TarMember> = fc
  .oneof(
    fc.record({ ...common, kind: fc.constant('file' as const), bytes: fc.nat(2000) }),
    fc.record({ ...common, kind: fc.constant('directory' as const), bytes: fc.constant(0) }),
    fc.record({
      ...common,
      kind: fc.constant('symlink' as const),
      bytes: fc.constant(0),
      linkName: text,
    }),
  )
  .map((each) => ({ ...each }));

describe('writeTar', () => {
  it('writes archives that readTar reads back, in chunks of any size', async () => {
    const members = fc.array(member, { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(members, fc.integer({ min: 1, max: 3000 }), async (headers, chunkBytes) => {
        const inputs = headers.map((header, index) => ({
          header,
          content: Buffer.alloc(header.bytes, index + 1),
        }));
        const archive = await archiveOf(
          ...inputs.map(({ header, content }) => ({ header, body: sourceOf(content) })),
        );
        assert.equal(archive.length % 512, 0);
        const read: { header: TarMember; content: Buffer }[] = [];
        for await (const { header, body } of readTar(chunksOf(archive, chunkBytes))) {
          const { typeflag: _, ...rest } = header;
          read.push({ header: rest, content: await collect(body, { maxBytes: 1e6, what: '' }) });
        }
        assert.deepEqual(
          read.map(({ header, content }) => ({ header, content: content.toString('hex') })),
          inputs.map(({ header, content }) => ({ header, content: content.toString('hex') })),
        );
      }),
      { numRuns: 200 },
    );
  });

  it('refuses a body that is longer or shorter than its header says', async () => {
    const header = { ...FILE, bytes: 3 };
    for (const chunks of [[Buffer.from('ab')], [Buffer.from('ab'), Buffer.from('cd')], []]) {
      await assert.rejects(archiveOf({ header, body: sourceOf(...chunks) }), (error) => {
        assert.ok(isTsbkError(error, 'tar-invalid'));
        assert.match(error.message, /\/base\/5\/1259/);
        return true;
      });
    }
  });

  it('ends an archive without members with two blocks of zeros', async () => {
    assert.deepEqual(await archiveOf(), Buffer.alloc(1024));
  });
});

describe('encodeHeader', () => {
  it('needs one block for what PostgreSQL has, a prefix for ASCII names up to 256 bytes', async () => {
    const long = `/${'d'.repeat(140)}/${'f'.repeat(100)}`;
    assert.equal(encodeHeader(FILE).length, 512);
    assert.equal(encodeHeader({ ...FILE, name: long }).length, 512);
    assert.equal((await headerOf({ ...FILE, name: long }))?.name, long);
  });

  it('puts a PAX header before what ustar cannot say', async () => {
    const beyond: readonly Partial<TarMember>[] = [
      { name: `/${'d'.repeat(156)}/f` },
      { name: 'f'.repeat(101) },
      { name: '/grün' },
      { bytes: 8 * 1024 ** 3 },
      { bytes: Number.MAX_SAFE_INTEGER },
      { uid: 2_097_152 },
      { gid: 4_294_967_295 },
      { uname: 'ü' },
      { gname: 'g'.repeat(33) },
      { modified: toInstant(-1_000_000_000n) },
      { modified: toInstant(8n ** 11n * 1_000_000_000n) },
    ];
    for (const difference of beyond) {
      const wanted = { ...FILE, ...difference };
      const blocks = encodeHeader(wanted);
      assert.equal(blocks.length, 3 * 512, JSON.stringify(Object.keys(difference)));
      assert.equal(String.fromCharCode(blocks[156] ?? 0), 'x');
      const read = readTar(sourceOf(blocks), { endBlocks: 'optional' });
      const first = await read.next();
      assert.deepEqual(first.value?.header, { ...wanted, typeflag: '0' });
    }
  });

  it('keeps names and targets that are not UTF-8 byte for byte', async () => {
    for (const length of [5, 100, 101, 300]) {
      const raw = Uint8Array.from({ length }, () => 0xe4);
      const lossy = { name: Buffer.from(raw).toString(), rawName: raw };
      assert.deepEqual((await headerOf({ ...FILE, ...lossy }))?.rawName, raw);
      const link: TarMember = { ...FILE, kind: 'symlink', linkName: '?', rawLinkName: raw };
      assert.deepEqual((await headerOf(link))?.rawLinkName, raw);
    }
  });

  it('cuts the time to whole seconds, downwards', async () => {
    const late = await headerOf({ ...FILE, modified: toInstant(1_999_999_999n) });
    assert.equal(late?.modified, 1_000_000_000n);
    const early = await headerOf({ ...FILE, modified: toInstant(-1n) });
    assert.equal(early?.modified, -1_000_000_000n);
  });

  it('writes the fields of a plain file as Go and GNU tar expect them', () => {
    const block = Buffer.from(encodeHeader({ ...FILE, bytes: 15 }));
    const field = (start: number, end: number): string => block.toString('latin1', start, end);
    assert.equal(field(100, 108), '0000600\0');
    assert.equal(field(124, 136), '00000000017\0');
    assert.match(field(148, 156), /^\d{6}\0 $/);
    assert.equal(field(156, 157), '0');
    assert.equal(field(257, 265), 'ustar\x0000');
  });

  it('refuses members that cannot be written', () => {
    const bad: readonly TarMember[] = [
      { ...FILE, kind: 'other' },
      { ...FILE, name: '' },
      { ...FILE, name: 'a\0b' },
      { ...FILE, kind: 'directory', bytes: 1 },
      { ...FILE, kind: 'symlink' },
      { ...FILE, kind: 'symlink', linkName: 'a\0' },
    ];
    for (const each of bad) {
      assert.throws(
        () => encodeHeader(each),
        (error) => isTsbkError(error, 'tar-invalid'),
      );
    }
  });
});

describe('padding', () => {
  it('fills up to whole blocks', () => {
    assert.deepEqual(
      [0, 1, 511, 512, 513].map((n) => padding(n).length),
      [0, 511, 1, 0, 511],
    );
    assert.equal(padding(9_000_000_001).length, 511);
  });
});

async function* chunksOf(bytes: Uint8Array, chunkBytes: number): ByteSource {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}
