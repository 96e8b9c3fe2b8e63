import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isTsbkError } from '../../kernel/errors.ts';
import { toInstant } from '../../kernel/instant.ts';
import type { ByteSource } from '../../ports/bytes.ts';
import { collect } from '../../stream/collect.ts';
import { sourceOf } from '../../stream/source.ts';
import { readTar, type ReadTarOptions } from './read.ts';
import { encodeHeader, endOfArchive, padding } from './write.ts';

/** A member with its header changed by hand; the checksum is put right afterwards. */
function member(change: (block: Buffer) => void, body: Uint8Array = Buffer.alloc(0)): Buffer {
  const header = { kind: 'file', name: 'f', mode: 0o600, uid: 0, gid: 0 } as const;
  const block = Buffer.from(
    encodeHeader({ ...header, bytes: body.length, modified: toInstant(0n) }),
  );
  change(block);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return Buffer.concat([block, body, padding(body.length)]);
}

const typed = (typeflag: string, body = '', name = 'f'): Buffer =>
  member((block) => {
    block.write(typeflag, 156, 'latin1');
    block.fill(0, 0, 100);
    block.write(name, 0, 'latin1');
  }, Buffer.from(body));

async function namesIn(
  archive: Uint8Array | readonly Uint8Array[],
  options?: ReadTarOptions,
): Promise<string[]> {
  const names: string[] = [];
  const chunks = archive instanceof Uint8Array ? [archive] : archive;
  for await (const { header } of readTar(sourceOf(...chunks), options)) names.push(header.name);
  return names;
}

function isInvalid(error: unknown): boolean {
  return isTsbkError(error, 'tar-invalid');
}

describe('readTar', () => {
  it('gives bodies as views of the chunks it was given', async () => {
    const chunk = Buffer.concat([typed('0', 'content'), endOfArchive()]);
    for await (const { body } of readTar(sourceOf(chunk))) {
      for await (const piece of body) {
        assert.equal(piece.buffer, chunk.buffer);
        assert.equal(Buffer.from(piece).toString(), 'content');
      }
    }
  });

  it('skips what is left of a body when the next entry is asked for', async () => {
    const archive = Buffer.concat([
      typed('0', 'x'.repeat(2000)),
      typed('0', 'y', 'g'),
      endOfArchive(),
    ]);
    const seen: string[] = [];
    for await (const { header, body } of readTar(chunksOf(archive, 100))) {
      for await (const piece of body) {
        seen.push(`${header.name}${piece.length}`);
        break;
      }
    }
    assert.deepEqual(seen, ['f88', 'g1']);
  });

  it('refuses to read a body whose turn is over', async () => {
    const bodies: ByteSource[] = [];
    const archive = [typed('0', 'x'), endOfArchive()];
    for await (const { body } of readTar(sourceOf(...archive))) bodies.push(body);
    await assert.rejects(
      collect(bodies[0] ?? sourceOf(), { maxBytes: 1, what: '' }),
      /after its turn/,
    );
  });

  it('leaves the source when its consumer leaves', async () => {
    let left = false;
    const source = async function* (): ByteSource {
      try {
        yield typed('0', 'x');
        yield endOfArchive();
      } finally {
        left = true;
      }
    };
    for await (const entry of readTar(source())) {
      assert.equal(entry.header.name, 'f');
      break;
    }
    assert.ok(left);
  });

  it('lets an extended header win over the block, GNU long names over PAX, and each for one member', async () => {
    const archive = [
      typed('g', '12 uname=pg\n'),
      typed('x', '13 path=long\n'),
      typed('0'),
      typed('x', '13 path=lost\n'),
      typed('L', 'longer\0'),
      typed('K', 'target\0'),
      typed('2'),
      typed('x', '9 uname=\n'),
      typed('0'),
      endOfArchive(),
    ];
    const seen: unknown[] = [];
    for await (const { header } of readTar(sourceOf(...archive))) {
      seen.push([header.name, header.linkName, header.uname]);
    }
    assert.deepEqual(seen, [
      ['long', undefined, 'pg'],
      ['longer', 'target', 'pg'],
      ['f', undefined, undefined],
    ]);
  });

  it('reads times with nanoseconds, also before 1970', async () => {
    const times = ['1.5', '1.123456789123', '-1.25', '1795311591', '3.'];
    const expected = [1_500_000_000n, 1_123_456_789n, -1_250_000_000n, 1_795_311_591_000_000_000n];
    const seen: bigint[] = [];
    for (const time of times) {
      const record = ` mtime=${time}\n`;
      const archive = sourceOf(
        typed('x', `${record.length + 2}${record}`),
        typed('0'),
        endOfArchive(),
      );
      for await (const { header } of readTar(archive)) seen.push(header.modified);
    }
    assert.deepEqual(seen, [...expected, 3_000_000_000n]);
  });

  it('takes a body length from PAX', async () => {
    const archive = [
      typed('x', '10 size=3\n'),
      member((block) => block.fill(0, 124, 136), Buffer.alloc(0)),
      Buffer.from('abc'),
      padding(3),
      typed('0', '', 'next'),
      endOfArchive(),
    ];
    assert.deepEqual(await namesIn(archive), ['f', 'next']);
  });

  it('expects no body after links, directories and devices, whatever their size says', async () => {
    const sized = (typeflag: string): Buffer =>
      member((block) => {
        block.write(typeflag, 156, 'latin1');
        block.write('00000001000', 124, 'latin1');
      });
    const archive = Array.from('123456', sized);
    const kinds: string[] = [];
    for await (const { header } of readTar(sourceOf(...archive, endOfArchive()))) {
      kinds.push(header.kind);
      assert.equal(header.bytes, 0);
    }
    assert.deepEqual(kinds, ['other', 'symlink', 'other', 'other', 'directory', 'other']);
  });

  it('reads v7 archives, where a slash at the end makes a directory', async () => {
    const v7 = (name: string): Buffer =>
      member((block) => {
        block.fill(0, 156, 512);
        block.write(name, 0);
      });
    const kinds: string[] = [];
    for await (const { header } of readTar(sourceOf(v7('d/'), v7('f'), endOfArchive()))) {
      kinds.push(header.kind);
    }
    assert.deepEqual(kinds, ['directory', 'file']);
  });

  it('does not take the times of a GNU header for a prefix', async () => {
    const gnu = member((block) => {
      block.write('ustar  \0', 257, 'latin1');
      block.write('14571234567', 345, 'latin1');
    });
    assert.deepEqual(await namesIn([gnu, endOfArchive()]), ['f']);
  });

  it('accepts a checksum of signed bytes', async () => {
    const block = member((b) => b.write('\xe4\xff', 0, 'latin1'));
    const unsigned = Number.parseInt(block.toString('latin1', 148, 154), 8);
    block.write(`${(unsigned - 512).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    assert.equal((await namesIn([block, endOfArchive()])).length, 1);
  });

  it('accepts zeros of any length after the end', async () => {
    assert.deepEqual(await namesIn([typed('0'), endOfArchive(), Buffer.alloc(10_001)]), ['f']);
  });

  it('accepts an archive without end blocks only where PostgreSQL 13 and 14 may have sent it', async () => {
    const archive = typed('0', 'x');
    assert.deepEqual(await namesIn(archive, { endBlocks: 'optional' }), ['f']);
    assert.deepEqual(await namesIn([archive, endOfArchive()], { endBlocks: 'optional' }), ['f']);
    await assert.rejects(namesIn(archive), isInvalid);
    await assert.rejects(
      namesIn([archive, Buffer.alloc(512)], { endBlocks: 'optional' }),
      isInvalid,
    );
  });

  it('accepts a last member without padding there, as WAL-G writes it in remote backups', async () => {
    const archive = typed('0', 'x').subarray(0, 513);
    assert.deepEqual(await namesIn(archive, { endBlocks: 'optional' }), ['f']);
    await assert.rejects(namesIn(archive), isInvalid);
    const cut = typed('0', 'x').subarray(0, 514);
    await assert.rejects(namesIn(cut, { endBlocks: 'optional' }), isInvalid);
    const short = typed('0', 'xy').subarray(0, 513);
    await assert.rejects(namesIn(short, { endBlocks: 'optional' }), isInvalid);
  });

  it('refuses an archive cut off anywhere', async () => {
    const archive = Buffer.concat([
      typed('x', '13 path=long\n'),
      typed('0', 'x'.repeat(600)),
      endOfArchive(),
    ]);
    for (let bytes = 0; bytes < archive.length; bytes += 1) {
      await assert.rejects(namesIn(archive.subarray(0, bytes)), isInvalid, `${bytes} bytes`);
    }
    assert.deepEqual(await namesIn(archive), ['long']);
  });

  it('refuses any flipped bit in a header', async () => {
    const archive = Buffer.concat([typed('0', 'x'), endOfArchive()]);
    for (let bit = 0; bit < 512 * 8; bit += 1) {
      const damaged = Buffer.from(archive);
      const byte = bit >> 3;
      damaged[byte] = (damaged[byte] ?? 0) ^ (1 << (bit & 7));
      // A digit 0 of the checksum may become a blank, which says the same.
      if (byte >= 148 && byte < 156) continue;
      await assert.rejects(namesIn(damaged), isInvalid, `byte ${byte}`);
    }
  });

  it('refuses data after the end', async () => {
    await assert.rejects(namesIn([endOfArchive(), Buffer.from('x')]), /after the end/);
    await assert.rejects(namesIn([typed('0'), Buffer.alloc(512), typed('0')]), /after the end/);
  });

  it('refuses sparse files, huge and endless extended headers and unreadable numbers', async () => {
    const sized = (typeflag: string, size: string): Buffer =>
      member((block) => {
        block.write(typeflag, 156, 'latin1');
        block.write(size, 124, 'latin1');
      });
    const bad: readonly (readonly Uint8Array[])[] = [
      [typed('S')],
      [typed('x', '22 GNU.sparse.major=1\n'), typed('0')],
      [sized('x', '77777777777')],
      [sized('L', '00004000001')],
      [typed('x', '13 path=long\n')],
      [typed('L', 'name\0')],
      [sized('0', '9')],
      [sized('0', '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff')],
      [sized('0', '\x80\0\0\0\x80\0\0\0\0\0\0\0')],
      [typed('x', '27 size=99999999999999999\n'), typed('0')],
      [typed('x', '11 size=-1\n'), typed('0')],
      [typed('x', '11 mtime=x\n'), typed('0')],
      [member((block) => block.write('x', 100))],
      [member((block) => block.write('x', 108))],
      [member((block) => block.write('x', 136))],
    ];
    for (const archive of bad) {
      await assert.rejects(
        namesIn([...archive, endOfArchive()]),
        isInvalid,
        archive[0]?.toString(),
      );
    }
  });

  it('names the archive and the member it refuses', async () => {
    const archive = [typed('0', 'x'.repeat(600)).subarray(0, 700)];
    await assert.rejects(namesIn(archive, { what: 'part_001.tar.lz4' }), (error) => {
      assert.match(String(error), /part_001\.tar\.lz4.*"f"/);
      return true;
    });
  });

  it('never gives more than it was given, hangs or fails otherwise on arbitrary blocks', async () => {
    const piece = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 600 }),
      fc.constantFrom(typed('0', 'x'), typed('x', '13 path=long\n'), endOfArchive(), typed('5')),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async (pieces) => {
        try {
          await namesIn(pieces, { endBlocks: 'optional' });
        } catch (error) {
          assert.ok(isInvalid(error));
        }
      }),
      { numRuns: 300 },
    );
  });
});

async function* chunksOf(bytes: Uint8Array, chunkBytes: number): ByteSource {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}
