import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import type { BlobStore } from '@tsbk/core/ports/blob-store';
import type { OpenStore } from '../blob-store.ts';
import { contentOf, foldersOf, keysOf, signal } from './helpers.ts';

type Content = Map<string, string>;
type Step = (store: BlobStore, model: Content) => Promise<void>;

const key = fc
  .array(fc.constantFrom('a', 'b', 'a.b', 'a b', 'ü'), { minLength: 1, maxLength: 3 })
  // The depth is part of the name: no key is a folder of another.
  .map((parts) => parts.map((part, at) => (at + 1 < parts.length ? `${part}-` : part)).join('/'));

const put = fc
  .record({ key, text: fc.string(), ifAbsent: fc.boolean() })
  .map(({ key: name, text, ifAbsent }): Step => async (store, model) => {
    const outcome = await store.put(name, Buffer.from(text), { signal, ifAbsent });
    assert.equal(outcome, ifAbsent && model.has(name) ? 'exists' : 'stored');
    if (outcome === 'stored') model.set(name, text);
  });

const remove = key.map((name): Step => async (store, model) => {
  await store.remove(name, { signal });
  model.delete(name);
});

const read = key.map((name): Step => async (store, model) => {
  assert.equal((await contentOf(store, name))?.toString(), model.get(name));
  const bytes = (await store.stat(name, { signal }))?.bytes;
  const text = model.get(name);
  assert.equal(bytes, text === undefined ? undefined : Buffer.byteLength(text));
});

const list = fc
  .record({ after: fc.option(key, { nil: undefined }) })
  .map(({ after = '' }): Step => async (store, model) => {
    const bytewise = (a: string, b: string): number =>
      Buffer.compare(Buffer.from(a), Buffer.from(b));
    const sorted = [...model.keys()].toSorted(bytewise);
    const expected = sorted.filter((name) => bytewise(name, after) > 0);
    assert.deepEqual(await keysOf(store, '', { after }), expected);
    const nested = sorted.filter((name) => name.includes('/'));
    const folders = new Set(nested.map((name) => name.slice(0, name.indexOf('/'))));
    assert.deepEqual(await foldersOf(store), [...folders]);
  });

export function modelContract(open: OpenStore): void {
  it('any sequence of operations leaves what a map would hold', async () => {
    const steps = fc.array(fc.oneof(put, put, put, remove, read, list), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(steps, async (sequence) => {
        await using under = await open();
        const model: Content = new Map();
        for (const step of sequence) await step(under.store, model);
      }),
      { numRuns: 12 },
    );
  });
}
