/** Chains are folded into full backups: every shape that WAL-G and tsbk write, and what is refused. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { crc32c, crc32cHex } from '@tsbk/core/format/crc32c';
import { formatManifest } from '@tsbk/core/format/format-manifest';
import { parseManifest, type ManifestFile } from '@tsbk/core/format/manifest';
import { instantFromMs } from '@tsbk/core/kernel/instant';
import { toSystemId } from '@tsbk/core/kernel/system-id';
import { collect } from '@tsbk/core/stream/collect';
import { isTsbkError, type TsbkError } from '@tsbk/core/kernel/errors';
import { inlineLanes } from '@tsbk/core/lanes/inline';
import { mergeBackup, type MergeResult } from '@tsbk/core/merge/merge';
import { planMerge } from '@tsbk/core/merge/plan-merge';
import type { Report } from '@tsbk/core/ports/report';
import { readBackup } from '@tsbk/core/repository/catalog';
import { fetchBackup } from '@tsbk/core/restore/fetch';
import {
  PAGE,
  storeChain,
  type ChainLink,
  page,
  ZEROS,
  whole,
  text,
  increment,
  skipped,
} from './support/fake-chain.ts';
import { FAKE_SYSTEM_ID, fakeRepository, type FakeRepository } from './support/fake-repository.ts';
import { contentOfTree, treeOf } from './support/file-tree.ts';
import { sameBytes } from './support/same-bytes.ts';

const { signal } = new AbortController();
let scratch: string;
let repository: FakeRepository;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'tsbk-merge-'));
  repository = fakeRepository(join(scratch, 'repository'));
});

afterEach(() => rmSync(scratch, { recursive: true }));

async function restore(backup: string, name: string): Promise<string> {
  const opened = await repository.open();
  const destination = join(scratch, name);
  await fetchBackup(
    { repository: opened, lanes: inlineLanes(opened, 2) },
    {
      backup,
      destination,
      target: { kind: 'latest' },
      timeline: 'latest',
      action: 'promote',
      standby: false,
      restoreCommand: 'get "%f" "%p"',
      writeRecoverySettings: false,
      tablespaceMapping: [],
      segmentBytes: 1024 * 1024,
      fsync: false,
    },
    { signal, report: () => {} },
  );
  return destination;
}

async function merge(
  backup: string,
  {
    abort = signal,
    report = () => {},
  }: { readonly abort?: AbortSignal; readonly report?: Report } = {},
): Promise<MergeResult> {
  const opened = await repository.open();
  return await mergeBackup(
    { repository: opened, lanes: inlineLanes(opened, 2) },
    {
      backup,
      runId: 'run',
      hostname: 'here',
      toolVersion: '0',
      partBytesMax: 3 * PAGE,
      scratchDirectory: scratch,
    },
    { signal: abort, report },
  );
}

async function refused(backup: string): Promise<TsbkError> {
  let thrown: unknown;
  await merge(backup).catch((error: unknown) => (thrown = error));
  assert.ok(isTsbkError(thrown), `not refused: ${String(thrown)}`);
  return thrown;
}

/** Everything that is stored of a backup and of its name. */
function objectsOf(name: string): string[] {
  const names = readdirSync(join(repository.root, 'basebackups_005'), { recursive: true });
  const own = [`${name}/`, `${name}_backup`];
  return names.map(String).filter((path) => own.some((start) => path.startsWith(start)));
}

function removeBackups(names: readonly string[]): void {
  for (const name of names) {
    const path = join(repository.root, 'basebackups_005', name);
    rmSync(path, { recursive: true });
    rmSync(`${path}_backup_stop_sentinel.json`);
  }
}

/** Merges the newest of a chain and restores the result by itself. */
async function mergedTree(links: readonly ChainLink[]): Promise<string> {
  const names = storeChain(repository, links);
  const newest = names.at(-1) ?? '';
  const expected = await restore(newest, 'by-chain');
  const { name, merged } = await merge(newest);
  assert.equal(name, newest.replace(/_D_.*/, ''));
  assert.ok(merged.length > 1 && merged[0] === newest);
  removeBackups(names);
  const tree = await restore(name, 'merged');
  const content = { ...(await contentOfTree(tree)) };
  // WAL-G's backups have no manifest, the merged one has.
  delete content['backup_manifest'];
  const ofChain = { ...(await contentOfTree(expected)) };
  delete ofChain['backup_manifest'];
  // A restore says which backup it was.
  for (const one of [content, ofChain]) delete one['pg_wal/tsbk_restore.json'];
  assert.deepEqual(content, ofChain);
  const modes = (root: string) =>
    treeOf(root)
      .filter(({ path }) => path !== 'backup_manifest')
      .map(({ path, kind, mode }) => `${path} ${kind} ${mode.toString(8)}`)
      .toSorted();
  assert.deepEqual(modes(tree), modes(expected));
  return tree;
}

const FULL: ChainLink = { files: { 'base/1/10': whole(page('a0'), page('a1')) } };
const DELTA: ChainLink = { files: { 'base/1/10': increment(2, { 1: page('A1') }) } };

function holds(root: string, path: string, ...pages: readonly Uint8Array[]): void {
  sameBytes(readFileSync(join(root, path)), Buffer.concat(pages));
}

describe('a merged backup', () => {
  it('has of each file the newest of its pages, and the size of the newest backup', async () => {
    const mode = 0o640;
    const tree = await mergedTree([
      {
        files: {
          PG_VERSION: text('17\n'),
          'base/1/10': whole(page('a0'), page('a1'), page('a2'), page('a3')),
          'base/1/11': whole(page('b0'), page('b1')),
          'base/1/12': whole(page('c0')),
          'base/1/13': whole(page('d0'), page('d1'), page('d2')),
          'base/1/14': whole(page('e0'), page('e1')),
          'base/1/15': whole(page('f0')),
          'base/1/17': { kind: 'whole', content: Buffer.concat([page('h0'), page('h1')]), mode },
          'base/1/18': whole(page('i0'), page('i1')),
          'base/2/10': whole(page('dropped')),
        },
        directories: ['base/1', 'base/2'],
      },
      {
        files: {
          PG_VERSION: skipped,
          'base/1/10': increment(4, { 1: page('A1'), 2: page('A2') }),
          'base/1/11': skipped,
          // Falls back to a full copy.
          'base/1/12': whole(page('C0'), page('C1')),
          // Shorter for a while.
          'base/1/13': increment(1, {}),
          'base/1/14': increment(2, { 0: page('E0') }),
          'base/1/16': whole(page('g0')),
          'base/1/17': increment(2, { 1: page('H1') }),
          'base/1/18': increment(2, { 0: page('I0') }),
        },
        directories: ['base/1'],
      },
      {
        files: {
          PG_VERSION: skipped,
          'base/1/10': increment(3, { 2: page('AA2') }),
          // Vanished while it was read: zeros that count.
          'base/1/11': increment(2, { 1: ZEROS }),
          'base/1/12': increment(3, {}),
          'base/1/13': increment(3, {}),
          // Whole again.
          'base/1/14': text('short'),
          // Longer than it says, as when it grows while wal-g reads it; out of order.
          'base/1/16': {
            kind: 'increment',
            fileBytes: 2 * PAGE,
            pages: [
              [2, page('G2')],
              [1, page('G1')],
            ],
          },
          // No whole number of pages.
          'base/1/17': { kind: 'increment', fileBytes: PAGE + 100, pages: [], mode },
          // All of its pages are in deltas.
          'base/1/18': increment(2, { 1: page('II1') }),
        },
        directories: ['base/1'],
      },
    ]);
    holds(tree, 'base/1/10', page('a0'), page('A1'), page('AA2'));
    holds(tree, 'base/1/13', page('d0'), ZEROS, ZEROS);
    holds(tree, 'base/1/16', page('g0'), page('G1'), page('G2'));
    holds(tree, 'base/1/17', page('h0'), page('H1').subarray(0, 100));
    holds(tree, 'base/1/18', page('I0'), page('II1'));
    assert.deepEqual(readdirSync(join(tree, 'base')), ['1']);
  });

  it('has nothing of what a file had before it once was shorter', async () => {
    const tree = await mergedTree([
      {
        files: {
          'base/1/10': whole(page('a0'), page('a1'), page('a2')),
          'base/1/11': whole(page('b0'), page('b1')),
          'base/1/12': whole(page('c0'), page('c1'), page('c2')),
        },
      },
      {
        files: {
          'base/1/10': increment(3, { 2: page('A2') }),
          'base/1/11': increment(2, { 1: page('B1') }),
          'base/1/12': increment(3, { 0: page('C0'), 2: page('C2') }),
        },
      },
      {
        files: {
          'base/1/10': increment(1, {}),
          'base/1/11': { kind: 'increment', fileBytes: PAGE + 100, pages: [] },
          'base/1/12': increment(3, { 0: page('CC0') }),
        },
      },
      {
        files: {
          'base/1/10': increment(3, {}),
          'base/1/11': increment(2, {}),
          'base/1/12': increment(3, {}),
        },
      },
    ]);
    holds(tree, 'base/1/10', page('a0'), ZEROS, ZEROS);
    const cut = Buffer.concat([page('B1').subarray(0, 100), ZEROS.subarray(100)]);
    holds(tree, 'base/1/11', page('b0'), cut);
    holds(tree, 'base/1/12', page('CC0'), page('c1'), page('C2'));
  });

  it('is made of records of every age, and of remote backups', async () => {
    await mergedTree([
      {
        files: { 'base/1/10': whole(page('a0'), page('a1')), backup_label: text('of the full') },
        isRemote: true,
      },
      { files: { 'base/1/10': increment(2, { 0: page('A0') }) }, isOld: true },
      { files: { 'base/1/10': skipped }, hidesTars: true },
    ]);
  });

  it('has neither delta nor parent, and says what it was made of', async () => {
    const names = storeChain(repository, [FULL, DELTA, DELTA]);
    const { name } = await merge(names[2] ?? '');
    const opened = await repository.open();
    const made = await readBackup(opened, name, { signal });
    const of = await readBackup(opened, names[2] ?? '', { signal });
    assert.equal(made.sentinel.delta, undefined);
    assert.deepEqual(made.side?.merged, names.toReversed());
    for (const key of ['startLsn', 'stopLsn', 'systemId', 'startTime', 'finishTime'] as const) {
      assert.equal(made.sentinel[key], of.sentinel[key], key);
    }
    assert.equal(made.side?.objects.size, made.tars.length + 1);
    assert.deepEqual(
      objectsOf(name).filter((path) => path.includes('run')),
      [],
    );
  });

  it('has the names of databases and tables that the delta has', async () => {
    const names = storeChain(repository, [FULL, DELTA]);
    const key = `basebackups_005/${names[1]}/files_metadata.json`;
    const known = {
      postgres: {
        oid: 5,
        tables: {},
        tables_new: { 'public.t': { oid: 16384, relfilenode: 16390 } },
      },
      'ä"b': {
        oid: 6,
        list: [1, [], { a: null }, 'x'],
        tables_new: { s: { subTables: { i: {} } } },
      },
    };
    const before = JSON.parse(readFileSync(join(repository.root, key), 'utf8')) as object;
    repository.put(key, JSON.stringify({ ...before, DatabasesByNames: known, Later: { oid: 1 } }));
    const { name } = await merge(names[1] ?? '');
    const path = join(repository.root, `basebackups_005/${name}/files_metadata.json`);
    const list = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    assert.deepEqual(list['DatabasesByNames'], known);
    assert.deepEqual(Object.keys(list), ['Files', 'TarFileSets', 'DatabasesByNames']);
  });

  it('is planned without a trace', async () => {
    const names = storeChain(repository, [FULL, DELTA]);
    const plan = await planMerge(await repository.open(), 'LATEST', { signal });
    assert.equal(plan.newest.name, names[1]);
    assert.deepEqual([...plan.problems, ...plan.warnings], []);
    assert.deepEqual(objectsOf(plan.name), []);
  });
});

describe('the manifest of a merged backup', () => {
  function line(path: string, content: Uint8Array): ManifestFile {
    const modified = instantFromMs(Date.UTC(2026, 10, 22));
    const checksum = crc32cHex(crc32c(content));
    return { path, bytes: content.length, modified, checksumAlgorithm: 'CRC32C', checksum };
  }

  /** A chain whose newest backup has a manifest of these files; the newest one's name. */
  async function chain(files: readonly ManifestFile[]): Promise<string> {
    const names = storeChain(repository, [
      { files: { 'base/1/10': whole(page('a0'), page('a1')), 'base/1/11': whole(page('b')) } },
      { files: { 'base/1/10': increment(2, { 1: page('A1') }), 'base/1/11': whole(page('B')) } },
      { files: { 'base/1/10': increment(2, { 0: page('AA0') }), 'base/1/11': skipped } },
    ]);
    const source = formatManifest({ systemId: toSystemId(FAKE_SYSTEM_ID), walRanges: [], files });
    const bytes = await collect(source, { maxBytes: 1e6, what: 'manifest' });
    repository.put(`basebackups_005/${names[2]}/backup_manifest`, bytes);
    return names[2] ?? '';
  }

  const incremental = line('base/1/INCREMENTAL.10', Buffer.from('what the server sent'));
  const taken = line('base/1/11', page('B'));
  const built = line('base/1/10', Buffer.concat([page('AA0'), page('A1')]));

  it('has lines of whole files alone', async () => {
    const { name } = await merge(await chain([incremental, taken]));
    const tree = await restore(name, 'merged');
    const { files } = parseManifest(readFileSync(join(tree, 'backup_manifest')), 'manifest');
    assert.deepEqual(files, [built, taken]);
  });

  it('is held against what passes, and against what was put together', async () => {
    for (const [files, wrong] of [
      [[incremental, line('base/1/11', page('x'))], 'base/1/11'],
      [[taken, line('base/1/10', Buffer.alloc(2 * PAGE))], 'base/1/10'],
      [[incremental, taken, line('base/1/INCREMENTAL.13', Buffer.alloc(9))], 'base/1/13'],
    ] as const) {
      const newest = await chain(files);
      const error = await refused(newest);
      assert.match(error.message, new RegExp(`${wrong}\\b`));
      assert.deepEqual(objectsOf(newest.replace(/_D_.*/, '')), []);
    }
  });
});

describe('a merge', () => {
  it('says that wal-g will take an older moment for the newest backup', async () => {
    const names = storeChain(repository, [FULL, DELTA, DELTA]);
    for (const [index, name] of names.entries()) {
      const path = `basebackups_005/${name}_backup_stop_sentinel.json`;
      utimesSync(join(repository.root, path), 1000 + index, 1000 + index);
    }
    const told: string[] = [];
    await merge(names[1] ?? '', {
      report: (event) => void (event.kind === 'warning' && told.push(event.code, event.text)),
    });
    assert.equal(told[0], 'walg-latest');
    assert.match(told[1] ?? '', new RegExp(`was ${names[2]}$`));
  });
});

describe('a merge is refused', () => {
  it('of a full backup', async () => {
    const [full, delta] = storeChain(repository, [FULL, DELTA]);
    const error = await refused(full ?? '');
    assert.equal(error.code, 'nothing-to-merge');
    assert.match(error.message, /^base_\w+ is a full backup already/);
    // What a merge before has made is the newest one.
    await merge(delta ?? '');
    const again = await refused('LATEST');
    assert.equal(again.code, 'nothing-to-merge');
    assert.match(again.message, /^the newest backup, base_\w+, is/);
  });

  it('when a backup of the chain is gone, in the words of a restore', async () => {
    const names = storeChain(repository, [FULL, DELTA, DELTA]);
    repository.remove(`basebackups_005/${names[0]}_backup_stop_sentinel.json`);
    const error = await refused(names[2] ?? '');
    assert.equal(error.code, 'backup-incomplete');
    assert.match(error.message, new RegExp(`builds on ${names[0]}, which is not there`));
  });

  it('when the name is taken, by a backup or by a run', async () => {
    const names = storeChain(repository, [FULL, DELTA]);
    const { name } = await merge(names[1] ?? '');
    assert.equal((await refused(names[1] ?? '')).code, 'backup-exists');
    rmSync(join(repository.root, `basebackups_005/${name}_backup_stop_sentinel.json`));
    const error = await refused(names[1] ?? '');
    assert.equal(error.code, 'backup-exists');
    assert.match(error.message, /unfinished backup/);
  });

  it('when a tar does not hold what it should, and leaves nothing', async () => {
    for (const content of [Buffer.alloc(1024), Buffer.from('no tar')]) {
      const names = storeChain(repository, [FULL, DELTA, DELTA]);
      repository.put(`basebackups_005/${names[0]}/tar_partitions/part_001.tar`, content);
      await refused(names[2] ?? '');
      assert.deepEqual(objectsOf((names[2] ?? '').replace(/_D_.*/, '')), []);
    }
  });

  it('when pages have no room, and leaves nothing', async () => {
    const names = storeChain(repository, [
      { files: { 'base/1/10': whole(page('a')) } },
      {
        files: {
          'base/1/10': increment(
            5000,
            Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [n, page('x')])),
          ),
        },
      },
    ]);
    scratch = join(scratch, 'none');
    const error = await refused(names[1] ?? '').finally(() => {
      scratch = join(scratch, '..');
    });
    assert.equal(error.code, 'scratch-failed');
    assert.deepEqual(objectsOf((names[1] ?? '').replace(/_D_.*/, '')), []);
    mkdirSync(join(scratch, 'none'));
  });

  it('when it is interrupted, and leaves nothing', async () => {
    const names = storeChain(repository, [FULL, DELTA, DELTA]);
    const abort = new AbortController();
    const reason = new Error('enough');
    const report: Report = ({ kind, ...event }) => {
      if (kind === 'phase' && JSON.stringify(event).includes(`reading ${names[0]}`)) {
        abort.abort(reason);
      }
    };
    await assert.rejects(merge(names[2] ?? '', { abort: abort.signal, report }), reason);
    assert.deepEqual(objectsOf((names[2] ?? '').replace(/_D_.*/, '')), []);
  });
});
