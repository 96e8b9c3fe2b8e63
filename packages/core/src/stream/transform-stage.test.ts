import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Transform } from 'node:stream';
import { createGunzip, createGzip, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { ByteSource } from '../ports/bytes.ts';
import { chunked } from './chunked.ts';
import { collect } from './collect.ts';
import { sampleBytes } from './sample-bytes.ts';
import { pipe, sourceOf } from './source.ts';
import { type MeasuredTransform, transformStage } from './transform-stage.ts';

const failure = (problem: string, cause?: unknown): Error =>
  new Error(`bad: ${problem}`, { cause });
const zip = transformStage(() => createGzip({ chunkSize: 1024 }), { failure });
const unzip = transformStage(() => createGunzip({ chunkSize: 1024 }), { failure });
const MAX = { maxBytes: 1 << 26, what: 'the test' };

/** A source that counts what is pulled and hears whether it is left. */
function observed(chunks: Iterable<Uint8Array>) {
  const seen = { pulled: 0, left: false };
  async function* source(): ByteSource {
    try {
      for (const chunk of chunks) {
        seen.pulled += 1;
        yield chunk;
      }
    } finally {
      seen.left = true;
    }
  }
  return { seen, source: source() };
}

describe('transformStage', () => {
  it('gives what the transform makes, however the input is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(100_000),
        fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 4 }),
        async (length, sizes) => {
          const plain = sampleBytes('mixed', length);
          const out = await collect(pipe(chunked(plain, [0, ...sizes]), zip, unzip), MAX);
          assert.ok(out.equals(plain));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('pulls nothing before it is asked and no more than the transform holds', async () => {
    const noise = sampleBytes('noise', 65_536);
    const { seen, source } = observed(Array.from({ length: 200 }, () => noise));
    const output = zip(source)[Symbol.asyncIterator]();
    assert.equal(seen.pulled, 0);
    await output.next();
    assert.ok(seen.pulled >= 1 && seen.pulled <= 4, `${seen.pulled} chunks`);
    await output.return?.();
  });

  it('leaves its source and destroys the transform when its consumer leaves', async () => {
    let transform: MeasuredTransform | undefined;
    const stage = transformStage(
      () => {
        transform = createGzip({ chunkSize: 64 });
        return transform;
      },
      { failure },
    );
    const { seen, source } = observed(
      Array.from({ length: 200 }, () => sampleBytes('noise', 9000)),
    );
    for await (const chunk of stage(source)) {
      assert.ok(chunk.length > 0);
      break;
    }
    assert.ok(seen.left);
    assert.ok(transform?.destroyed);
  });

  it('passes an error of its source on unchanged', async () => {
    const reason = new Error('the store went away');
    let transform: MeasuredTransform | undefined;
    async function* failing(): ByteSource {
      yield Buffer.from('some');
      throw reason;
    }
    const stage = transformStage(
      () => {
        transform = createGzip();
        return transform;
      },
      { failure },
    );
    await assert.rejects(collect(stage(failing()), MAX), (error) => error === reason);
    assert.ok(transform?.destroyed);
  });

  it('makes its own error of one of the transform and keeps that as the cause', async () => {
    await assert.rejects(
      collect(unzip(sourceOf(Buffer.from('no gzip at all'))), MAX),
      (error: Error) => error.message.startsWith('bad: ') && error.cause instanceof Error,
    );
  });

  it('refuses bytes after the end of the data, in the same chunk and in a later one', async () => {
    const whole = gzipSync('content');
    const zero = Buffer.alloc(1);
    const after = /there are bytes after its end/;
    await assert.rejects(collect(unzip(sourceOf(Buffer.concat([whole, zero]))), MAX), after);
    await assert.rejects(collect(unzip(sourceOf(whole, zero)), MAX), after);
    await assert.rejects(collect(unzip(sourceOf(whole, Buffer.alloc(0), zero)), MAX), after);
  });

  it('accepts empty chunks after the end of the data', async () => {
    const source = sourceOf(gzipSync('content'), Buffer.alloc(0));
    assert.equal((await collect(unzip(source), MAX)).toString(), 'content');
  });

  it('throws what opening the transform throws', async () => {
    const stage = transformStage(
      () => {
        throw new Error('no such transform');
      },
      { failure },
    );
    await assert.rejects(collect(stage(sourceOf(Buffer.from('x'))), MAX), /no such transform/);
  });

  it('does not wait for ever on a transform that fails between two reads', async () => {
    class Failing extends Transform {
      readonly bytesWritten = 0;
      override _transform(_chunk: unknown, _encoding: unknown, done: (error: Error) => void): void {
        setImmediate(() => done(new Error('late')));
      }
    }
    const stage = transformStage(() => new Failing(), { failure });
    await assert.rejects(collect(stage(sourceOf(Buffer.from('x'))), MAX), /bad: late/);
  });
});
