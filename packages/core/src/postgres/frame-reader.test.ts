import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isTsbkError } from '../kernel/errors.ts';
import { encodeFrame, FrameReader, type Frame } from './frame-reader.ts';

const frames = fc.array(
  fc
    .tuple(fc.constantFrom('d', 'T', 'C', 'Z', 'N', 'S'), fc.uint8Array({ maxLength: 40 }))
    .map(([type, bytes]): Frame => ({ type, body: Buffer.from(bytes) })),
  { maxLength: 20 },
);

describe('FrameReader', () => {
  it('gives the same messages however the stream is cut into chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        frames,
        fc.infiniteStream(fc.integer({ min: 1, max: 50 })),
        async (sent, sizes) => {
          const reader = readerOf(cut(Buffer.concat(sent.map(encodeFrame)), sizes));
          assert.deepEqual(await readAll(reader), sent);
        },
      ),
    );
  });

  it('reads a stream that comes byte by byte', async () => {
    const sent = [frame('T', 'ab'), frame('Z', 'I'), frame('d', '')];
    const bytes = Buffer.concat(sent.map(encodeFrame));
    assert.deepEqual(await readAll(readerOf([...bytes].map((byte) => Buffer.from([byte])))), sent);
  });

  it('says where a stream ends between two messages', async () => {
    const reader = readerOf([encodeFrame(frame('Z', 'I'))]);
    await reader.next();
    assert.equal(await reader.next(), undefined);
    assert.equal(await reader.next(), undefined);
  });

  it('does not copy a message that lies within one chunk', async () => {
    const chunk = Buffer.concat([encodeFrame(frame('d', 'one')), encodeFrame(frame('d', 'two'))]);
    const reader = readerOf([chunk]);
    await reader.next();
    assert.equal((await reader.next())?.body.buffer, chunk.buffer);
  });

  it('refuses a stream that ends inside a message', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 11 }), async (length) => {
        const bytes = encodeFrame(frame('C', 'SELECT\0')).subarray(0, length);
        await assert.rejects(
          async () => readerOf([bytes]).next(),
          (error) => isTsbkError(error, 'connection-lost'),
        );
      }),
    );
  });

  for (const length of [-1, 0, 3, -0x8000_0000, 0x7fff_ffff]) {
    it(`refuses a message of announced length ${length} without waiting for its bytes`, async () => {
      const header = Buffer.from('d\0\0\0\0');
      header.writeInt32BE(length, 1);
      await assert.rejects(
        async () => readerOf([header]).next(),
        (error) => isTsbkError(error, 'protocol-violation'),
      );
    });
  }

  it('refuses what is longer than the caller allows', async () => {
    const reader = readerOf([encodeFrame(frame('R', 'x'.repeat(100)))]);
    await assert.rejects(
      async () => reader.next(99),
      (error) => isTsbkError(error, 'protocol-violation'),
    );
  });

  it('passes on what the source of the bytes throws', async () => {
    const reader = new FrameReader(async () => Promise.reject(new Error('gone')));
    await assert.rejects(async () => reader.next(), /gone/);
  });
});

function frame(type: string, body: string): Frame {
  return { type, body: Buffer.from(body) };
}

function readerOf(chunks: readonly Buffer[]): FrameReader {
  const left = [...chunks];
  return new FrameReader(async () => left.shift());
}

async function readAll(reader: FrameReader): Promise<Frame[]> {
  const found: Frame[] = [];
  for (let next = await reader.next(); next !== undefined; next = await reader.next()) {
    found.push({ type: next.type, body: Buffer.from(next.body) });
  }
  return found;
}

function cut(bytes: Buffer, sizes: Iterable<number>): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    if (at >= bytes.length) break;
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}
