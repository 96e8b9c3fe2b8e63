import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { codecByName } from '@tsbk/core/codec/codecs';
import { zstdDecompressBy } from '@tsbk/core/codec/zstd/decompress';
import { decompressFramePortably } from '@tsbk/core/codec/zstd/portable-frame';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import type { ByteStage } from '@tsbk/core/ports/bytes';
import type { CodecName } from '@tsbk/core/ports/codec';
import { chunked } from '@tsbk/core/stream/chunked';
import { collect } from '@tsbk/core/stream/collect';
import { sampleBytes, type SampleKind } from '@tsbk/core/stream/sample-bytes';
import { sourceOf } from '@tsbk/core/stream/source';
import fc from 'fast-check';
import { tempDirectory } from './support/temp-directory.ts';

const MAX = { maxBytes: 256 << 20, what: 'the test' };
const MIB4 = 4 << 20;

/** The reference programs and the Debian packages that have them. */
const PACKAGES = { lz4: 'lz4', zstd: 'zstd', brotli: 'brotli', xz: 'xz-utils', gzip: 'gzip' };
type Tool = keyof typeof PACKAGES;

/** `false`, or why tests that need the tool cannot run. */
function skipWithout(tool: Tool): string | false {
  const found = spawnSync(tool, ['--version']).status === 0;
  return found ? false : `${tool} is not installed (Debian package ${PACKAGES[tool]})`;
}

/** What the tool makes of `input`. */
function run(tool: Tool, args: readonly string[], input: Uint8Array): Buffer {
  const { status, stdout, stderr } = spawnSync(tool, args, { input, maxBuffer: 256 << 20 });
  assert.equal(status, 0, `${tool} ${args.join(' ')}: ${stderr.toString()}`);
  return stdout;
}

const read = (stage: ByteStage, bytes: Uint8Array, cut = 65_536): Promise<Buffer> =>
  collect(stage(chunked(bytes, [cut])), MAX);

function write(name: CodecName, plain: Uint8Array, zstdLevel?: number): Promise<Buffer> {
  const { compress } = codecByName(name, { zstdLevel });
  assert.ok(compress !== undefined);
  return collect(compress(chunked(plain, [100_000])), MAX);
}

const kinds = fc.constantFrom<SampleKind>('zeros', 'records', 'noise', 'mixed');

const lengths = fc.oneof(
  fc.nat(2000),
  fc.nat(300_000),
  fc.constantFrom(0, 1, 65_535, 65_536, 65_537, MIB4 - 1, MIB4, MIB4 + 1, 2 * MIB4),
);

/** Some content, given by what it is made of, so that a failure prints short. */
const contents = fc.record({ kind: kinds, length: lengths, seed: fc.nat(100) });
type Content = typeof contents extends fc.Arbitrary<infer T> ? T : never;
const bytesOf = ({ kind, length, seed }: Content): Buffer => sampleBytes(kind, length, seed);

/** Any of the options, in the given order. */
const someOf = (...options: readonly string[]): fc.Arbitrary<readonly string[]> =>
  fc.subarray([...options]);

describe('lz4 frames', { skip: skipWithout('lz4') }, () => {
  const { decompress } = codecByName('lz4');

  it('of tsbk are read by lz4', async () => {
    await fc.assert(
      fc.asyncProperty(contents, async (content) => {
        const plain = bytesOf(content);
        assert.ok(run('lz4', ['-dc'], await write('lz4', plain)).equals(plain));
      }),
      { numRuns: 25 },
    );
  });

  it('of lz4 are read by tsbk: linked blocks, every block size, with and without checksums', async () => {
    const options = fc.tuple(
      fc.constantFrom('-1', '-9', '--fast=10'),
      fc.constantFrom('-B4', '-B5', '-B6', '-B7'),
      someOf('-BD', '-BX', '--no-frame-crc'),
    );
    await fc.assert(
      fc.asyncProperty(contents, options, async (content, [level, size, rest]) => {
        // lz4 1.9.4 itself fails on content that is one byte short of a block.
        fc.pre((content.length + 1) % 65_536 !== 0);
        const plain = bytesOf(content);
        const bytes = run('lz4', ['-zc', level, size, ...rest], plain);
        assert.ok((await read(decompress, bytes)).equals(plain));
      }),
      { numRuns: 40 },
    );
  });

  it('of lz4 with the content size are read by tsbk', async () => {
    await using folder = await tempDirectory();
    const file = join(folder.path, 'plain');
    for (const length of [1, 70_000, MIB4 + 5]) {
      const plain = sampleBytes('mixed', length);
      await writeFile(file, plain);
      const bytes = run('lz4', ['-zc', '--content-size', '-BD', file], Buffer.alloc(0));
      assert.equal((bytes[4] ?? 0) & 0b1000, 0b1000, 'the frame has its size');
      assert.ok((await read(decompress, bytes)).equals(plain));
    }
  });

  it('of the legacy format are read by tsbk', async () => {
    for (const length of [1, 100_000, 2 * MIB4 - 1, 2 * MIB4, 3 * MIB4]) {
      const plain = sampleBytes('mixed', length);
      assert.ok((await read(decompress, run('lz4', ['-zc', '-l'], plain))).equals(plain));
    }
  });

  it('are read in any sequence as lz4 reads them', async () => {
    const plain = sampleBytes('mixed', 200_000);
    const own = await write('lz4', plain);
    const frames = [
      own,
      run('lz4', ['-zc', '-BD', '-B4'], plain),
      run('lz4', ['-zc', '-l'], plain),
      Buffer.from('502a4d18020000006869', 'hex'),
      run('lz4', ['-zc'], Buffer.alloc(0)),
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...frames), { minLength: 1, maxLength: 5 }),
        async (sequence) => {
          const bytes = Buffer.concat([...sequence, own]);
          assert.ok((await read(decompress, bytes, 1000)).equals(run('lz4', ['-dc'], bytes)));
        },
      ),
      { numRuns: 25 },
    );
  });
});

const portable: ByteStage = (source) => zstdDecompressBy(decompressFramePortably, source);

describe('zstd frames', { skip: skipWithout('zstd') }, () => {
  const { decompress } = codecByName('zstd');

  it('of tsbk are read by zstd, at every level', async () => {
    await fc.assert(
      fc.asyncProperty(contents, fc.constantFrom(1, 2, 3, 5, 7, 11), async (content, level) => {
        const plain = bytesOf(content);
        assert.ok(run('zstd', ['-dcq'], await write('zstd', plain, level)).equals(plain));
      }),
      { numRuns: 25 },
    );
    const small = sampleBytes('mixed', 300_000);
    for (let level = 12; level <= 19; level += 1) {
      assert.ok(run('zstd', ['-dcq'], await write('zstd', small, level)).equals(small));
    }
  });

  it('of tsbk are one frame with a checksum', async () => {
    await using folder = await tempDirectory();
    const file = join(folder.path, 'one.zst');
    for (const length of [0, 5, MIB4]) {
      await writeFile(file, await write('zstd', sampleBytes('mixed', length)));
      const listing = run('zstd', ['-lv', file], Buffer.alloc(0)).toString();
      assert.match(listing, /Check: XXH64/);
      assert.match(listing, /(?:Number of files listed|# Zstandard Frames): 1\b/);
    }
  });

  for (const [title, stage, numRuns] of [
    ['of zstd are read by tsbk', decompress, 40],
    ['of zstd are read by tsbk without native zstd', portable, 20],
  ] as const) {
    it(title, async () => {
      const options = fc.tuple(
        fc.constantFrom('-1', '-3', '-12', '--fast=5', '--ultra -20'),
        someOf('--no-check', '-T2'),
      );
      await fc.assert(
        fc.asyncProperty(contents, options, async (content, [level, rest]) => {
          const plain = bytesOf(content);
          const bytes = run('zstd', ['-cq', ...level.split(' '), ...rest], plain);
          assert.ok((await read(stage, bytes)).equals(plain));
        }),
        { numRuns },
      );
    });
  }

  it('with a window of 128 MiB are read, larger ones refused', async () => {
    const plain = Buffer.concat([sampleBytes('mixed', MIB4), sampleBytes('noise', MIB4)]);
    for (const stage of [decompress, portable]) {
      const bytes = run('zstd', ['-cq', '--long=27'], plain.subarray(0, 1 << 20));
      assert.ok((await read(stage, bytes)).equals(plain.subarray(0, 1 << 20)));
    }
    const long = run('zstd', ['-cq', '--long=27'], Buffer.concat([plain, plain]));
    assert.ok(long.length < 5 << 20, 'the second half refers to the first');
    assert.ok((await read(decompress, long)).equals(Buffer.concat([plain, plain])));
    const tooLong = run('zstd', ['-cq', '--long=28'], plain);
    for (const stage of [decompress, portable]) {
      await assert.rejects(read(stage, tooLong), (error) => isTsbkError(error, 'object-corrupt'));
    }
  });

  it('are read in any sequence as zstd reads them', async () => {
    const plain = sampleBytes('mixed', 200_000);
    const own = await write('zstd', plain);
    const frames = [
      own,
      run('zstd', ['-cq', '--no-check'], plain),
      Buffer.from('502a4d18020000006869', 'hex'),
      run('zstd', ['-cq'], Buffer.alloc(0)),
      run('zstd', ['-cq', '-19'], Buffer.from('short')),
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...frames), { minLength: 1, maxLength: 5 }),
        async (sequence) => {
          const bytes = Buffer.concat([...sequence, own]);
          const expected = run('zstd', ['-dcq'], bytes);
          for (const stage of [decompress, portable]) {
            assert.ok((await read(stage, bytes, 1000)).equals(expected));
          }
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe('brotli streams', { skip: skipWithout('brotli') }, () => {
  const { decompress } = codecByName('brotli');

  it('of tsbk are read by brotli', async () => {
    await fc.assert(
      fc.asyncProperty(contents, async (content) => {
        const plain = bytesOf(content);
        assert.ok(run('brotli', ['-dc'], await write('brotli', plain)).equals(plain));
      }),
      { numRuns: 20 },
    );
  });

  it('of brotli are read by tsbk, at every quality and window', async () => {
    const options = fc.tuple(fc.constantFrom(0, 1, 3, 5, 9), fc.integer({ min: 10, max: 24 }));
    await fc.assert(
      fc.asyncProperty(contents, options, async (content, [quality, window]) => {
        const plain = bytesOf(content);
        const bytes = run('brotli', ['-c', `-q`, `${quality}`, `--lgwin=${window}`], plain);
        assert.ok((await read(decompress, bytes)).equals(plain));
      }),
      { numRuns: 25 },
    );
  });

  it('with a window above 16 MiB are refused', async () => {
    const bytes = run('brotli', ['-c', '-q', '3', '--large_window=30'], sampleBytes('mixed', 1000));
    await assert.rejects(read(decompress, bytes), (error) => isTsbkError(error, 'object-corrupt'));
  });
});

describe('gzip members', { skip: skipWithout('gzip') }, () => {
  it('of gzip are read by tsbk', async () => {
    const { decompress } = codecByName('gzip');
    await fc.assert(
      fc.asyncProperty(contents, fc.constantFrom('-1', '-6', '-9'), async (content, level) => {
        const plain = bytesOf(content);
        const bytes = run('gzip', ['-c', level], plain);
        assert.ok((await read(decompress, bytes)).equals(plain));
        const twice = await read(decompress, Buffer.concat([bytes, bytes]), 1000);
        assert.ok(twice.equals(Buffer.concat([plain, plain])));
      }),
      { numRuns: 20 },
    );
  });
});

describe('lzma streams', { skip: skipWithout('xz') }, () => {
  const { decompress } = codecByName('lzma');

  it('of xz are read by tsbk, at every level and with every context', async () => {
    const contexts = fc
      .record({
        lc: fc.integer({ min: 0, max: 4 }),
        lp: fc.integer({ min: 0, max: 4 }),
        pb: fc.integer({ min: 0, max: 4 }),
        dict: fc.constantFrom('4KiB', '1MiB', '8MiB', '64MiB'),
      })
      .filter(({ lc, lp }) => lc + lp <= 4)
      .map(({ lc, lp, pb, dict }) => `--lzma1=lc=${lc},lp=${lp},pb=${pb},dict=${dict},nice=32`);
    const options = fc.oneof(fc.constantFrom('-0', '-6', '-9'), contexts);
    const shorter = contents.map((content) => ({ ...content, length: content.length % 1_000_000 }));
    await fc.assert(
      fc.asyncProperty(shorter, options, async (content, option) => {
        const plain = bytesOf(content);
        const bytes = run('xz', ['--format=lzma', '-c', option], plain);
        assert.ok((await read(decompress, bytes)).equals(plain));
      }),
      { numRuns: 25 },
    );
  });

  it('of xz with a length in the header and an end marker are read by tsbk', async () => {
    const plain = sampleBytes('records', 100_000);
    const bytes = run('xz', ['--format=lzma', '-c'], plain);
    bytes.writeBigUInt64LE(BigInt(plain.length), 5);
    assert.ok((await read(decompress, bytes)).equals(plain));
  });

  it('of the .xz container are refused', async () => {
    const bytes = run('xz', ['-c'], Buffer.from('content'));
    const whole = collect(decompress(sourceOf(bytes)), MAX);
    await assert.rejects(whole, (error) => isTsbkError(error, 'object-corrupt'));
  });
});
