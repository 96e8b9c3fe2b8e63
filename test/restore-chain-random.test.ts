/** Random chains of random files, against a model that knows what every file is at every backup. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import fc from 'fast-check';
import { inlineLanes } from '@tsbk/core/lanes/inline';
import { mergeBackup } from '@tsbk/core/merge/merge';
import { fetchBackup } from '@tsbk/core/restore/fetch';
import { PAGE, storeChain, type ChainFile, type ChainLink } from './support/fake-chain.ts';
import { fakeRepository, type FakeRepository } from './support/fake-repository.ts';

const { signal } = new AbortController();
const RUNS = 60;
const PAGES_MAX = 20;

/** What happens to one file between two backups, and how the second one stores it. */
interface Step {
  readonly pages: number;
  readonly changed: readonly number[];
  /** Pages that the increment has although they did not change. */
  readonly repeated: readonly number[];
  /** New pages that never were written: zeros, and in no increment. */
  readonly unwritten: readonly number[];
  readonly stored: 'increment' | 'whole';
  readonly isDeleted: boolean;
  readonly isBackwards: boolean;
}

const numbers = fc.array(fc.nat(PAGES_MAX - 1), { maxLength: 6 });
const step: fc.Arbitrary<Step> = fc.record({
  pages: fc.oneof(fc.nat(3), fc.nat(PAGES_MAX)),
  changed: numbers,
  repeated: numbers,
  unwritten: numbers,
  stored: fc.constantFrom('increment', 'increment', 'whole'),
  isDeleted: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  isBackwards: fc.boolean(),
});
const FILES = ['base/1/10', 'base/1/11', 'base/1/12', 'pg_xact/0000'];
const link = fc.record({
  steps: fc.tuple(step, step, step, step),
  // Nothing happens to a file for a while.
  quiet: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean(), fc.boolean()),
  hidesTars: fc.boolean(),
  isOld: fc.boolean(),
});
const chains = fc.array(link, { minLength: 1, maxLength: 7 });

/** A file's pages: what is in each. */
type Content = readonly Uint8Array[];

function next(before: Content | undefined, step: Step, mark: string): Content | undefined {
  if (step.isDeleted) return undefined;
  return Array.from({ length: step.pages }, (_, page) => {
    const old = before?.[page];
    if (old !== undefined && !step.changed.includes(page)) return old;
    if (old === undefined && step.unwritten.includes(page)) return Buffer.alloc(PAGE);
    return Buffer.alloc(PAGE, `${mark}.${page} `);
  });
}

function stored(before: Content | undefined, after: Content, step: Step): ChainFile {
  const isWhole = before === undefined || step.stored === 'whole' || after.length === 0;
  if (isWhole) return { kind: 'whole', content: Buffer.concat(after) };
  const pages = after.flatMap((content, page) => {
    const isNew = before[page] === undefined && !step.unwritten.includes(page);
    const isChanged = before[page] !== undefined && step.changed.includes(page);
    const isThere = isNew || isChanged || step.repeated.includes(page);
    return isThere ? [[page, content] as const] : [];
  });
  const ordered = step.isBackwards ? pages.toReversed() : pages;
  return { kind: 'increment', fileBytes: after.length * PAGE, pages: ordered };
}

function chainOf(drawn: readonly (typeof chains extends fc.Arbitrary<(infer T)[]> ? T : never)[]) {
  const model = new Map<string, Content>();
  const links = drawn.map(({ steps, quiet, hidesTars, isOld }, index): ChainLink => {
    const files: Record<string, ChainFile> = {
      PG_VERSION: { kind: 'whole', content: Buffer.from('17\n') },
    };
    for (const [at, path] of FILES.entries()) {
      const taken = steps[at];
      const before = model.get(path);
      if (quiet[at] === true && before !== undefined) {
        files[path] = { kind: 'skipped' };
        continue;
      }
      const after = taken === undefined ? undefined : next(before, taken, `${index}.${at}`);
      if (taken === undefined || after === undefined) {
        model.delete(path);
        continue;
      }
      files[path] = stored(before, after, taken);
      model.set(path, after);
    }
    return { files, hidesTars, isOld };
  });
  return { links, model };
}

/** Restores the newest backup, and compares what the model knows. */
async function comesBack(
  { repository, scratch }: { readonly repository: FakeRepository; readonly scratch: string },
  model: ReadonlyMap<string, Content>,
): Promise<void> {
  const destination = join(scratch, 'restored');
  const opened = await repository.open();
  await fetchBackup(
    { repository: opened, lanes: inlineLanes(opened, 2) },
    {
      backup: 'LATEST',
      destination,
      target: { kind: 'latest' },
      timeline: 'latest',
      action: 'promote',
      standby: false,
      restoreCommand: 'false',
      writeRecoverySettings: false,
      tablespaceMapping: [],
      segmentBytes: 1024 * 1024,
      fsync: false,
    },
    { signal, report: () => {} },
  );
  const found = FILES.filter((path) => {
    const folder = join(destination, path.replace(/\/[^/]*$/, ''));
    return safeNames(folder).includes(path.replace(/^.*\//, ''));
  });
  assert.deepEqual(
    found,
    FILES.filter((path) => model.has(path)),
  );
  for (const [path, content] of model) {
    const bytes = readFileSync(join(destination, path));
    assert.equal(bytes.length, content.length * PAGE, path);
    for (const [page, expected] of content.entries()) {
      const got = bytes.subarray(page * PAGE, (page + 1) * PAGE);
      assert.ok(got.equals(expected), `${path}, page ${page}: ${got.toString('utf8', 0, 8)}`);
    }
  }
  rmSync(destination, { recursive: true });
}

/** Folds the newest backup into a full one, and takes the chain away. */
async function replaceByMerged(
  { repository, scratch }: { readonly repository: FakeRepository; readonly scratch: string },
  names: readonly string[],
): Promise<void> {
  const opened = await repository.open();
  await mergeBackup(
    { repository: opened, lanes: inlineLanes(opened, 2) },
    {
      backup: names.at(-1) ?? '',
      runId: 'run',
      hostname: 'here',
      toolVersion: '0',
      partBytesMax: 5 * PAGE,
      scratchDirectory: scratch,
    },
    { signal, report: () => {} },
  );
  const folder = join(repository.root, 'basebackups_005');
  for (const name of names) {
    rmSync(join(folder, name), { recursive: true });
    rmSync(join(folder, `${name}_backup_stop_sentinel.json`));
  }
}

it('a chain restores to what its newest backup was taken of, and so does what it is merged to', async () => {
  await fc.assert(
    fc.asyncProperty(chains, async (drawn) => {
      const { links, model } = chainOf(drawn);
      const scratch = mkdtempSync(join(tmpdir(), 'tsbk-chain-'));
      try {
        const repository = fakeRepository(join(scratch, 'repository'));
        const names = storeChain(repository, links);
        await comesBack({ repository, scratch }, model);
        if (names.length === 1) return;
        await replaceByMerged({ repository, scratch }, names);
        await comesBack({ repository, scratch }, model);
      } finally {
        rmSync(scratch, { recursive: true });
      }
    }),
    { numRuns: RUNS },
  );
});

function safeNames(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
