/** The listing that several pushes share: whom its failure and its end concern. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sharedNewness, type AskIsNew } from '@tsbk/core/archive/shared-newness';
import { TsbkError } from '@tsbk/core/kernel/errors';
import type { BlobInfo, BlobStore } from '@tsbk/core/ports/blob-store';
import { storeWal } from '@tsbk/core/repository/wal-archive';
import { orAbort } from '@tsbk/core/stream/abort';
import { sourceOf } from '@tsbk/core/stream/source';
import { tempDirectory } from './support/temp-directory.ts';
import { segmentContent, segmentName } from './support/wal-file.ts';
import { openDirectory } from './support/walg-cases.ts';

const [ONE, TWO, THREE] = [1, 2, 3].map((n) => segmentName(n)) as [string, string, string];
const { signal } = new AbortController();

interface Site extends AsyncDisposable {
  readonly isNew: AskIsNew;
  readonly listings: () => number;
  /** What the listings' signals aborted with. */
  readonly stopped: readonly unknown[];
  /** Lets listings go on that are held from the start. */
  readonly open: () => void;
}

/** An archive with the first segment, whose listings wait until they may go on, or fail. */
async function openSite(failure?: TsbkError): Promise<Site> {
  const directory = await tempDirectory();
  const repository = await openDirectory(directory.path);
  await storeWal(
    repository,
    { name: ONE, source: () => sourceOf(segmentContent(ONE)) },
    { signal },
  );
  const stopped: unknown[] = [];
  let listings = 0;
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  async function* list(
    ...[prefix, options]: Parameters<BlobStore['list']>
  ): AsyncIterable<BlobInfo> {
    listings += 1;
    options.signal.addEventListener('abort', () => stopped.push(options.signal.reason));
    await orAbort(gate, options.signal);
    if (failure !== undefined) throw failure;
    yield* repository.store.list(prefix, options);
  }
  const isNew = sharedNewness({ ...repository, store: { ...repository.store, list } });
  return {
    isNew,
    listings: () => listings,
    stopped,
    open,
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

describe('A listing that several pushes share', () => {
  it('is made once, and tells each what is new', async () => {
    await using site = await openSite();
    site.open();
    const asked = [ONE, TWO, THREE].map((name) => site.isNew(name, { signal }));
    assert.deepEqual(await Promise.all(asked), [false, true, true]);
    assert.equal(site.listings(), 1);
  });

  it('goes on for the others when the one who asked first goes away', async () => {
    await using site = await openSite();
    const first = new AbortController();
    const gone = site.isNew(ONE, { signal: first.signal });
    const others = [TWO, THREE].map((name) => site.isNew(name, { signal }));
    first.abort(new Error('the first went away'));
    await assert.rejects(gone, /the first went away/);
    site.open();
    assert.deepEqual(await Promise.all(others), [true, true]);
    assert.deepEqual([site.listings(), site.stopped], [1, []]);
  });

  it('ends with the last who waits for it, and the next one gets another', async () => {
    await using site = await openSite();
    const last = new AbortController();
    const gone = site.isNew(ONE, { signal: last.signal });
    const reason = new Error('the last went away');
    last.abort(reason);
    await assert.rejects(gone, reason);
    assert.deepEqual(site.stopped, [reason]);
    site.open();
    assert.equal(await site.isNew(TWO, { signal }), true);
    assert.equal(site.listings(), 2);
  });

  it('that fails says nothing of any file, and fails nobody', async () => {
    await using site = await openSite(new TsbkError('store-unreachable', 'the store is away'));
    site.open();
    const asked = [TWO, THREE].map((name) => site.isNew(name, { signal }));
    assert.deepEqual(await Promise.all(asked), [false, false]);
    assert.equal(await site.isNew(THREE, { signal }), false);
    assert.equal(site.listings(), 1, 'it is not asked again for each file');
  });
});
