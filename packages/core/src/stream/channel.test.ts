import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { channel } from './channel.ts';

const open = new AbortController().signal;

test('a channel gives its reader what was written, in order', async () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(chunks, fc.integer({ min: 0, max: 100 }), async (written, maxBytes) => {
      const pipe = channel(maxBytes, open);
      const writing = (async () => {
        for (const chunk of written) await pipe.write(chunk);
        pipe.end();
      })();
      const read: Uint8Array[] = [];
      for await (const chunk of pipe.source) read.push(chunk);
      await writing;
      assert.deepEqual(read, written);
    }),
  );
});

test('a channel lets its writer be no more than its limit and one chunk ahead', async () => {
  const pipe = channel(10, open);
  let written = 0;
  const writing = (async () => {
    for (let i = 0; i < 5; i += 1) {
      await pipe.write(new Uint8Array(8));
      written += 8;
    }
    pipe.end();
  })();
  await turn();
  assert.equal(written, 8);
  assert.equal(pipe.buffered(), 16);
  for await (const _ of pipe.source) await turn();
  await writing;
  assert.equal(written, 40);
});

test('a channel hands the writer’s failure to the reader', async () => {
  const pipe = channel(10, open);
  await pipe.write(new Uint8Array(1));
  pipe.fail(new Error('source broke'));
  await assert.rejects(async () => {
    for await (const _ of pipe.source);
  }, /source broke/);
  await assert.rejects(pipe.write(new Uint8Array(1)), /source broke/);
});

test('a channel whose reader has left refuses further chunks and frees a waiting writer', async () => {
  const pipe = channel(1, open);
  const blocked = pipe.write(new Uint8Array(5));
  for await (const _ of pipe.source) break;
  await blocked;
  await assert.rejects(pipe.write(new Uint8Array(1)), /reader of this channel has left/);
});

test('a channel hears its signal on both ends', async () => {
  const stop = new AbortController();
  const pipe = channel(1, stop.signal);
  const reading = assert.rejects(async () => {
    for await (const _ of pipe.source);
  }, /enough/);
  await turn();
  stop.abort(new Error('enough'));
  await reading;
  await assert.rejects(pipe.write(new Uint8Array(1)), /enough/);
});
