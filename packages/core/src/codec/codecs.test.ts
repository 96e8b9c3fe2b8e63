import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { isTsbkError } from '../kernel/errors.ts';
import type { ByteSource, ByteStage } from '../ports/bytes.ts';
import type { CodecName } from '../ports/codec.ts';
import { chunked } from '../stream/chunked.ts';
import { collect } from '../stream/collect.ts';
import { owned } from '../stream/owned.ts';
import { lent } from '../stream/release.ts';
import { sampleBytes } from '../stream/sample-bytes.ts';
import { pipe, sourceOf } from '../stream/source.ts';
import { EXTENSIONS, codecByExtension, codecByName } from './codecs.ts';

const MAX = { maxBytes: 64 << 20, what: 'the test' };
/** What only WAL-G writes. */
const BY_WALG = new URL(
  '../../../../test/fixtures/walg/local-lzma-3.0.8/wal_005/000000010000000000000010.lzma',
  import.meta.url,
);
const WRITTEN: readonly CodecName[] = ['lz4', 'zstd', 'brotli', 'none'];
const CHECKED: readonly CodecName[] = ['lz4', 'zstd', 'brotli', 'gzip', 'lzma'];

function compressOf(name: CodecName): ByteStage {
  const { compress } = codecByName(name);
  assert.ok(compress !== undefined);
  return compress;
}

async function storedByEach(plain: Uint8Array): Promise<ReadonlyMap<CodecName, Uint8Array>> {
  const stored = new Map<CodecName, Uint8Array>([
    ['gzip', gzipSync(plain)],
    // It ends with an error if it is not what was compressed.
    ['lzma', readFileSync(BY_WALG)],
  ]);
  for (const name of WRITTEN) {
    stored.set(name, await collect(pipe(sourceOf(plain), compressOf(name)), MAX));
  }
  return stored;
}

describe('codecByName', () => {
  it('gives codecs that read back what they wrote', async () => {
    for (const name of WRITTEN) {
      for (const length of [0, 1, 100_000]) {
        const plain = sampleBytes('mixed', length);
        const source = chunked(plain, [30_000]);
        const read = pipe(source, compressOf(name), codecByName(name).decompress);
        assert.ok((await collect(read, MAX)).equals(plain), `${name}, ${length} bytes`);
      }
    }
  });

  it('gives codecs that look at nothing again which they have given away', async () => {
    const plain = sampleBytes('mixed', 1_500_000);
    for (const name of WRITTEN) {
      const source = chunked(plain, [70_000]);
      const read = pipe(source, compressOf(name), codecByName(name).decompress, lent, owned);
      assert.ok((await collect(read, MAX)).equals(plain), name);
    }
  });

  it('gives readers that are done with a chunk when they ask for the next one', async () => {
    const plain = sampleBytes('mixed', 400_000);
    const stored = await storedByEach(plain);
    for (const [name, bytes] of stored) {
      for (const cuts of [[1, 2, 3, 70_000], [4096]]) {
        const read = pipe(chunked(bytes, cuts), lent, codecByName(name).decompress, owned);
        const whole = await collect(read, MAX);
        assert.ok(name === 'lzma' ? whole.length > 10_000 : whole.equals(plain), name);
      }
    }
  });

  it('gives codecs that can be used many times and at once', async () => {
    const plain = sampleBytes('records', 300_000);
    for (const name of WRITTEN) {
      const codec = codecByName(name);
      const reads = [1, 2, 3].map(() =>
        collect(pipe(chunked(plain, [9000]), compressOf(name), codec.decompress), MAX),
      );
      for (const read of await Promise.all(reads)) assert.ok(read.equals(plain));
    }
  });

  it('makes no writers of formats that are only read', () => {
    assert.equal(codecByName('gzip').compress, undefined);
    assert.equal(codecByName('lzma').compress, undefined);
  });

  it('hands the level to zstd', async () => {
    const plain = Buffer.from(Array.from({ length: 60_000 }, (_, i) => (i * i) % 977).join(' '));
    const sizes = await Promise.all(
      [undefined, 3, 11].map(async (zstdLevel) => {
        const { compress } = codecByName('zstd', { zstdLevel });
        return compress === undefined ? 0 : (await collect(compress(sourceOf(plain)), MAX)).length;
      }),
    );
    const [byDefault, three, eleven] = sizes;
    assert.equal(byDefault, three);
    assert.notEqual(three, eleven);
  });

  it('gives readers that refuse an empty object and say which codec they are', async () => {
    for (const name of CHECKED) {
      await assert.rejects(
        collect(codecByName(name).decompress(sourceOf()), MAX),
        (error: Error) => {
          assert.ok(isTsbkError(error, 'object-corrupt'), String(error));
          return error.message.includes(name);
        },
      );
    }
  });

  it('gives stages that pass an error of their source on unchanged', async () => {
    const reason = new Error('the store went away');
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(0);
      throw reason;
    }
    for (const name of CHECKED) {
      const { compress, decompress } = codecByName(name);
      for (const stage of compress === undefined ? [decompress] : [compress, decompress]) {
        await assert.rejects(collect(stage(failing()), MAX), (error) => error === reason);
      }
    }
  });
});

describe('stages of every codec', () => {
  const codecs = CHECKED.map((name) => codecByName(name));
  const anywhere = fc.record({ chunks: fc.nat(12), size: fc.integer({ min: 1, max: 60_000 }) });

  it('leave their source wherever their consumer leaves', async () => {
    const plain = sampleBytes('mixed', 400_000);
    await fc.assert(
      fc.asyncProperty(anywhere, async ({ chunks, size }) => {
        for (const { compress, decompress } of codecs) {
          if (compress === undefined) continue;
          const stored = await collect(compress(sourceOf(plain)), MAX);
          for (const [stage, bytes] of [
            [compress, plain],
            [decompress, stored],
          ] as const) {
            const seen = { begun: 0, ended: 0 };
            await takeSome(stage(watched(chunked(bytes, [size, 50_000]), seen)), chunks);
            assert.equal(seen.ended, seen.begun);
          }
        }
      }),
      { numRuns: 15 },
    );
  });

  it('end with the error of their source wherever that fails', async () => {
    const plain = sampleBytes('mixed', 400_000);
    const reason = new Error('the store went away');
    async function* failing(bytes: Uint8Array, size: number, chunks: number): ByteSource {
      let given = 0;
      for await (const chunk of chunked(bytes, [size, 50_000])) {
        if (given === chunks) throw reason;
        given += 1;
        yield chunk;
      }
      throw reason;
    }
    await fc.assert(
      fc.asyncProperty(anywhere, async ({ chunks, size }) => {
        for (const { compress, decompress } of codecs) {
          if (compress === undefined) continue;
          const stored = await collect(compress(sourceOf(plain)), MAX);
          for (const [stage, bytes] of [
            [compress, plain],
            [decompress, stored],
          ] as const) {
            const read = collect(stage(failing(bytes, size, chunks)), MAX);
            await assert.rejects(read, (error) => error === reason);
          }
        }
      }),
      { numRuns: 15 },
    );
  });
});

/** Takes at most so many chunks, and leaves. */
async function takeSome(source: ByteSource, chunks: number): Promise<void> {
  let taken = 0;
  for await (const chunk of source) {
    taken += chunk.length > 0 ? 1 : 0;
    if (taken > chunks) break;
  }
}

async function* watched(source: ByteSource, seen: { begun: number; ended: number }): ByteSource {
  seen.begun += 1;
  try {
    yield* source;
  } finally {
    seen.ended += 1;
  }
}

describe('codecByExtension', () => {
  it('knows the codec of every extension that a WAL file may have', () => {
    assert.deepEqual(
      EXTENSIONS.map((extension) => codecByExtension(extension)?.name),
      ['lz4', 'zstd', 'brotli', 'none', 'lzma', 'gzip'],
    );
    for (const extension of EXTENSIONS) {
      assert.equal(codecByExtension(extension)?.extension, extension);
    }
  });

  it('knows no others', () => {
    for (const extension of ['lzo', 'xz', 'LZ4', 'tar', 'toString', '__proto__']) {
      assert.equal(codecByExtension(extension), undefined);
    }
  });
});
