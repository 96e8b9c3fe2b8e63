import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { isTsbkError } from '../kernel/errors.ts';
import { collect } from './collect.ts';
import { openSpool, type SpooledText } from './spool.ts';

const directory = mkdtempSync(join(tmpdir(), 'tsbk-spool-'));
after(() => rmSync(directory, { recursive: true }));

async function contentOf(text: SpooledText): Promise<string> {
  return (await collect(text.read(), { maxBytes: 1 << 30, what: 'text' })).toString('utf8');
}

test('a spool gives each text back as it was written, in memory and beyond', async () => {
  const pieces = fc.array(
    fc.record({
      text: fc.nat({ max: 3 }),
      piece: fc.string({ unit: 'grapheme', maxLength: 30 }),
      times: fc.constantFrom(1, 3000),
    }),
    { maxLength: 40 },
  );
  await fc.assert(
    fc.asyncProperty(pieces, fc.constantFrom(0, 1000, 1 << 20), async (steps, memoryBytesMax) => {
      await using spool = openSpool({ directory, memoryBytesMax });
      const texts = Array.from({ length: 4 }, () => spool.text());
      const expected = ['', '', '', ''];
      await Promise.all(
        texts.map(async (text, index) => {
          for (const { piece, times } of steps.filter((step) => step.text === index)) {
            await text.append(piece.repeat(times));
            expected[index] += piece.repeat(times);
          }
          if (index % 2 === 0) await text.end();
        }),
      );
      for (const [index, text] of texts.entries()) {
        assert.equal(await contentOf(text), expected[index]);
        assert.equal(await contentOf(text), expected[index]);
      }
    }),
    { numRuns: 30 },
  );
});

test('a spool leaves no file behind, not even while it is open', async () => {
  await using spool = openSpool({ directory, memoryBytesMax: 0 });
  const text = spool.text();
  await text.append('x'.repeat(200_000));
  assert.deepEqual(readdirSync(directory), []);
  assert.equal((await contentOf(text)).length, 200_000);
});

test('a spool says which directory it cannot write to, and by which setting to choose another', async () => {
  await using spool = openSpool({ directory: join(directory, 'nowhere'), memoryBytesMax: 0 });
  await assert.rejects(spool.text().append('x'.repeat(200_000)), (error) => {
    assert.ok(isTsbkError(error, 'scratch-failed'));
    assert.match(error.message, /nowhere/);
    assert.match(error.hint ?? '', /TSBK_SCRATCH_DIRECTORY/);
    return true;
  });
});

test('a spool that fits in memory needs no directory', async () => {
  await using spool = openSpool({ directory: join(directory, 'nowhere') });
  const text = spool.text();
  await text.append('x'.repeat(200_000));
  assert.equal((await contentOf(text)).length, 200_000);
});
