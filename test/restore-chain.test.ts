/** Chains of deltas are put together: every shape that WAL-G and tsbk write, and what is refused. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { crc32c, crc32cHex } from '@tsbk/core/format/crc32c';
import { formatManifest } from '@tsbk/core/format/format-manifest';
import { parseManifest, type ManifestFile } from '@tsbk/core/format/manifest';
import { isTsbkError, type TsbkError } from '@tsbk/core/kernel/errors';
import { instantFromMs } from '@tsbk/core/kernel/instant';
import { toSystemId } from '@tsbk/core/kernel/system-id';
import { inlineLanes } from '@tsbk/core/lanes/inline';
import type { SumTask } from '@tsbk/core/ports/extract';
import type { Lanes } from '@tsbk/core/ports/lanes';
import { fetchBackup, type FetchRequest } from '@tsbk/core/restore/fetch';
import { planRestore } from '@tsbk/core/restore/plan-restore';
import { collect } from '@tsbk/core/stream/collect';
import { fetchRequest } from './support/fetch-request.ts';
import {
  PAGE,
  storeChain,
  type ChainFile,
  type ChainLink,
  page,
  ZEROS,
  whole,
  text,
  increment,
  skipped,
} from './support/fake-chain.ts';
import {
  FAKE_SYSTEM_ID,
  fakeControlFile,
  fakeRepository,
  type FakeRepository,
} from './support/fake-repository.ts';
import { sameBytes } from './support/same-bytes.ts';

const { signal } = new AbortController();
let scratch: string;
let repository: FakeRepository;
let destination: string;
let onEvent: () => void;
/** Files that a restore has read to sum them. */
let readAgain: string[];

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'tsbk-chain-'));
  repository = fakeRepository(join(scratch, 'repository'));
  destination = join(scratch, 'restored');
  onEvent = () => {};
  readAgain = [];
});

afterEach(() => rmSync(scratch, { recursive: true }));

const request = (backup = 'LATEST'): FetchRequest =>
  fetchRequest({ backup, destination, segmentBytes: 1024 * 1024, fsync: true });

async function fetch(backup?: string) {
  const opened = await repository.open();
  const lanes: Lanes = inlineLanes(opened, 2);
  const inputs = {
    repository: opened,
    lanes: {
      ...lanes,
      sumFiles: (task: SumTask, options: { readonly signal: AbortSignal }) => {
        readAgain.push(...task.paths);
        return lanes.sumFiles(task, options);
      },
    },
  };
  return await fetchBackup(inputs, request(backup), { signal, report: () => onEvent() });
}

async function refused(backup?: string): Promise<TsbkError> {
  let thrown: unknown;
  await fetch(backup).catch((error: unknown) => (thrown = error));
  assert.ok(isTsbkError(thrown), `not refused: ${String(thrown)}`);
  assert.equal(existsSync(destination), false);
  return thrown;
}

/** A file of the restored tree is these pages. */
function holds(path: string, ...pages: readonly Uint8Array[]): void {
  sameBytes(readFileSync(join(destination, path)), Buffer.concat(pages));
}

describe('a chain of deltas', () => {
  it('gives each file the newest of its pages, and the size of the newest backup', async () => {
    storeChain(repository, [
      {
        files: {
          PG_VERSION: text('17\n'),
          'base/1/10': whole(page('a0'), page('a1'), page('a2'), page('a3')),
          'base/1/11': whole(page('b0'), page('b1')),
          'base/1/12': whole(page('c0')),
          'base/1/13': whole(page('d0'), page('d1'), page('d2')),
          'base/1/14': whole(page('e0'), page('e1')),
          'base/1/15': whole(page('f0')),
          'base/1/17': whole(page('h0'), page('h1')),
        },
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
        },
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
          'base/1/17': { kind: 'increment', fileBytes: PAGE + 100, pages: [] },
        },
      },
    ]);
    const { files } = await fetch();
    assert.equal(files, 8);
    holds('PG_VERSION', Buffer.from('17\n'));
    holds('base/1/10', page('a0'), page('A1'), page('AA2'));
    holds('base/1/11', page('b0'), ZEROS);
    holds('base/1/12', page('C0'), page('C1'), ZEROS);
    holds('base/1/13', page('d0'), ZEROS, ZEROS);
    holds('base/1/14', Buffer.from('short'));
    holds('base/1/16', page('g0'), page('G1'), page('G2'));
    holds('base/1/17', page('h0'), page('H1').subarray(0, 100));
    assert.deepEqual(readdirSync(join(destination, 'base/1')).toSorted(), [
      '10',
      '11',
      '12',
      '13',
      '14',
      '16',
      '17',
    ]);
  });

  it('keeps neither files nor directories that the newest backup does not have', async () => {
    storeChain(repository, [
      {
        files: { 'base/1/10': whole(page('a')), 'base/2/10': whole(page('b')) },
        directories: ['base/1', 'base/2'],
      },
      { files: { 'base/1/10': skipped }, directories: ['base/1'] },
    ]);
    await fetch();
    assert.deepEqual(readdirSync(join(destination, 'base')), ['1']);
  });

  it('takes modes from the newest backup that has the file in a tar', async () => {
    const mode = 0o640;
    storeChain(repository, [
      {
        files: {
          'base/1/10': { kind: 'whole', content: page('a'), mode },
          'base/1/11': { kind: 'whole', content: page('a'), mode },
        },
      },
      {
        files: {
          'base/1/10': { kind: 'increment', fileBytes: PAGE, pages: [], mode: 0o600 },
          'base/1/11': skipped,
        },
      },
    ]);
    await fetch();
    const modes = ['10', '11'].map(
      (name) => statSync(join(destination, 'base/1', name)).mode & 0o777,
    );
    assert.deepEqual(modes, [0o600, 0o640]);
  });

  it('is read from records of every age', async () => {
    storeChain(repository, [
      {
        files: { 'base/1/10': whole(page('a0'), page('a1')), 'base/1/11': whole(page('b')) },
        isOld: true,
      },
      {
        files: { 'base/1/10': increment(2, { 0: page('A0') }), 'base/1/11': skipped },
        isOld: true,
      },
      { files: { 'base/1/10': skipped, 'base/1/11': skipped }, hidesTars: true },
    ]);
    await fetch();
    holds('base/1/10', page('A0'), page('a1'));
    holds('base/1/11', page('b'));
  });

  it('may begin with a remote backup, whose names have no slash', async () => {
    storeChain(repository, [
      {
        files: {
          'base/1/10': whole(page('a0'), page('a1')),
          backup_label: text('of the full one'),
        },
        isRemote: true,
      },
      { files: { 'base/1/10': increment(2, { 0: page('A0') }) } },
    ]);
    await fetch();
    holds('base/1/10', page('A0'), page('a1'));
    assert.doesNotMatch(readFileSync(join(destination, 'backup_label'), 'utf8'), /full one/);
  });

  it('may pass by deltas, as with an origin of LATEST_FULL', async () => {
    const names = storeChain(repository, [
      { files: { 'base/1/10': whole(page('a0'), page('a1')) } },
      { files: { 'base/1/10': increment(2, { 0: page('not this') }) } },
      { files: { 'base/1/10': increment(2, { 1: page('A1') }) }, parent: 0 },
    ]);
    const { plan } = await fetch();
    assert.deepEqual(
      plan.links.map(({ backup }) => backup),
      [names[2], names[0]],
    );
    holds('base/1/10', page('a0'), page('A1'));
  });

  it('fetches only tars that hold something wanted', async () => {
    storeChain(repository, [
      { files: { 'base/1/10': whole(page('a')), 'base/1/11': whole(page('b')) } },
      { files: { 'base/1/10': increment(1, { 0: page('A') }), 'base/1/11': skipped } },
      { files: { 'base/1/10': whole(page('AA')), 'base/1/11': skipped } },
    ]);
    const opened = await repository.open();
    const plan = await planRestore(opened, request(), { signal, report: () => {} });
    const tars = plan.links.map((link) => link.tars.map(({ name }) => name).toSorted());
    assert.deepEqual(tars.slice(1), [[], ['part_003.tar']]);
    assert.equal(tars[0]?.length, 4);
    await fetch();
    holds('base/1/11', page('b'));
  });

  it('is looked for in every tar if it is not listed in which', async () => {
    storeChain(repository, [
      {
        files: { 'base/1/10': whole(page('a')), 'base/1/11': whole(page('b')) },
        forgets: ['base/1/11'],
      },
      { files: { 'base/1/10': skipped, 'base/1/11': skipped } },
    ]);
    await fetch();
    holds('base/1/10', page('a'));
    holds('base/1/11', page('b'));
  });

  it('is not read further down than to where every page is found', async () => {
    const [full] = storeChain(repository, [
      { files: { 'base/1/10': whole(page('a0'), page('a1')), 'base/1/11': whole(page('b')) } },
      { files: { 'base/1/10': increment(2, { 1: page('A1') }), 'base/1/11': skipped } },
      { files: { 'base/1/10': increment(2, { 0: page('AA0') }), 'base/1/11': skipped } },
    ]);
    // What nobody needs may even be damaged.
    repository.put(`basebackups_005/${full}/tar_partitions/part_001.tar`, 'no tar');
    await fetch();
    holds('base/1/10', page('AA0'), page('A1'));
    holds('base/1/11', page('b'));
  });

  it('serves a target from the newest of its backups that ends before it', async () => {
    const whole10 = { files: { 'base/1/10': whole(page('a')) } };
    const names = storeChain(repository, [whole10, { files: { 'base/1/10': skipped } }, whole10]);
    const opened = await repository.open();
    const plan = (more: Partial<FetchRequest>) =>
      planRestore(opened, { ...request(), ...more }, { signal, report: () => {} });
    const { backup } = await plan({ backup: names[1] ?? '' });
    const { backup: chosen, links } = await plan({
      target: { kind: 'lsn', lsn: backup.stopLsn, inclusive: true },
    });
    assert.equal(chosen.name, names[1]);
    assert.deepEqual(
      links.map((link) => link.backup),
      [names[1], names[0]],
    );
  });

  it('has its control file from the tar for it, at the end, whatever its lists say', async () => {
    const zeros: ChainFile = { kind: 'whole', content: ZEROS };
    const control = { 'global/pg_control': increment(1, { 0: ZEROS }) };
    storeChain(repository, [
      { files: { 'global/pg_control': zeros }, isRemote: true },
      { files: control, isRemote: true },
    ]);
    const placed: boolean[] = [];
    onEvent = () => placed.push(existsSync(join(destination, 'global/pg_control')));
    await fetch();
    assert.ok(placed.length > 2);
    assert.ok(!placed.includes(true));
    sameBytes(readFileSync(join(destination, 'global/pg_control')), fakeControlFile());
  });

  it('restores each of its backups', async () => {
    const names = storeChain(repository, [
      { files: { 'base/1/10': whole(page('a0'), page('a1')) } },
      { files: { 'base/1/10': increment(2, { 1: page('A1') }) } },
      { files: { 'base/1/10': increment(1, { 0: page('AA0') }) } },
    ]);
    const expected = [['a0', 'a1'], ['a0', 'A1'], ['AA0']];
    for (const [index, name] of names.entries()) {
      await fetch(name);
      holds('base/1/10', ...(expected[index] ?? []).map(page));
      rmSync(destination, { recursive: true });
    }
  });
});

describe('the manifest of a chain', () => {
  const sumOf = (content: Uint8Array): string => crc32cHex(crc32c(content));

  function line(path: string, content: Uint8Array, checksum = sumOf(content)): ManifestFile {
    const modified = instantFromMs(Date.UTC(2026, 10, 22));
    return { path, bytes: content.length, modified, checksumAlgorithm: 'CRC32C', checksum };
  }

  /** A chain whose newest backup has a manifest of these files. */
  async function chain(files: readonly ManifestFile[]): Promise<void> {
    const names = storeChain(repository, [
      { files: { 'base/1/10': whole(page('a0'), page('a1')), 'base/1/11': whole(page('b')) } },
      {
        files: {
          'base/1/10': increment(2, { 1: page('A1') }),
          'base/1/11': increment(1, { 0: page('B') }),
          'base/1/12': whole(page('c')),
        },
      },
      {
        files: {
          'base/1/10': increment(2, { 0: page('AA0') }),
          'base/1/11': skipped,
          'base/1/12': skipped,
        },
      },
    ]);
    const source = formatManifest({ systemId: toSystemId(FAKE_SYSTEM_ID), walRanges: [], files });
    const bytes = await collect(source, { maxBytes: 1e6, what: 'manifest' });
    repository.put(`basebackups_005/${names[2]}/backup_manifest`, bytes);
  }

  const incremental = line('base/1/INCREMENTAL.10', Buffer.from('what the server sent'));
  const built = line('base/1/11', page('B'));
  const taken = line('base/1/12', page('c'));

  it('says what the files are that it was restored to', async () => {
    await chain([incremental, built, taken]);
    await fetch();
    const path = join(destination, 'backup_manifest');
    const { files, systemId } = parseManifest(readFileSync(path), path);
    const content = Buffer.concat([page('AA0'), page('A1')]);
    assert.deepEqual(files, [line('base/1/10', content), built, taken]);
    assert.equal(systemId, FAKE_SYSTEM_ID);
    assert.deepEqual(readAgain, []);
  });

  it('reads a file again that has pages from no backup', async () => {
    const [name = ''] = storeChain(repository, [
      { files: { 'base/1/10': whole(page('a0')) } },
      { files: { 'base/1/10': increment(3, { 2: page('A2') }) } },
    ]).slice(-1);
    const incremental = line('base/1/INCREMENTAL.10', Buffer.from('what the server sent'));
    const source = formatManifest({
      systemId: toSystemId(FAKE_SYSTEM_ID),
      walRanges: [],
      files: [incremental],
    });
    const bytes = await collect(source, { maxBytes: 1e6, what: 'manifest' });
    repository.put(`basebackups_005/${name}/backup_manifest`, bytes);
    await fetch();
    const path = join(destination, 'backup_manifest');
    const content = Buffer.concat([page('a0'), ZEROS, page('A2')]);
    assert.deepEqual(parseManifest(readFileSync(path), path).files, [line('base/1/10', content)]);
    assert.deepEqual(readAgain, ['base/1/10']);
  });

  it('is held against what came from older backups, whole or in pages', async () => {
    for (const wrong of [
      line('base/1/11', page('x')),
      line('base/1/12', page('x')),
      line('base/1/11', Buffer.alloc(1)),
    ]) {
      const others = [built, taken].filter(({ path }) => path !== wrong.path);
      await chain([incremental, ...others, wrong]);
      const error = await refused();
      assert.equal(error.code, 'object-corrupt');
      assert.match(error.message, new RegExp(wrong.path));
    }
  });

  it('knows of a file that is in no backup', async () => {
    await chain([incremental, built, taken, line('base/1/INCREMENTAL.13', Buffer.alloc(12))]);
    assert.match((await refused()).message, /no tar of base_\w+ holds base\/1\/13/);
  });
});

describe('a chain of deltas is refused', () => {
  const full: ChainLink = { files: { 'base/1/10': whole(page('a0'), page('a1')) } };
  const delta: ChainLink = { files: { 'base/1/10': increment(2, { 1: page('A1') }) } };

  it('when a backup of it is gone', async () => {
    const [name] = storeChain(repository, [full, delta, delta]);
    repository.remove(`basebackups_005/${name}_backup_stop_sentinel.json`);
    const error = await refused();
    assert.equal(error.code, 'backup-incomplete');
    assert.match(error.message, new RegExp(`builds on ${name}, which is not there`));
  });

  it('when it goes in a circle', async () => {
    const names = storeChain(repository, [full, delta]);
    const key = `basebackups_005/${names[0]}_backup_stop_sentinel.json`;
    repository.put(
      key,
      readFileSync(join(repository.root, key), 'utf8').replace(
        /}$/,
        `,"DeltaFrom":"${names[1]}","DeltaLSN":1,"DeltaFullName":"x","DeltaCount":1}`,
      ),
    );
    assert.match((await refused()).message, /a circle/);
  });

  it('when a backup of it is of another cluster, or took the name of the real one', async () => {
    storeChain(repository, [{ ...full, sentinel: { SystemIdentifier: 5n } }, delta]);
    assert.match((await refused()).message, /of the cluster/);
    storeChain(repository, [{ ...full, sentinel: { LSN: 99n } }, delta]);
    assert.match((await refused()).message, /starts elsewhere/);
  });

  it('when a delta does not list its files, which would restore to next to nothing', async () => {
    storeChain(repository, [full, { ...delta, hidesFiles: true }]);
    assert.match((await refused()).message, /does not list its files/);
    storeChain(repository, [full, { ...delta, hidesFiles: true }, delta]);
    assert.match((await refused()).message, /does not list its files/);
  });

  it('when a file is in no backup below', async () => {
    storeChain(repository, [full, { files: { ...delta.files, 'base/1/11': skipped } }]);
    assert.match((await refused()).message, /has \/base\/1\/11, which that does not list/);
    storeChain(repository, [{ files: { 'base/1/10': increment(2, {}) } }, delta]);
    assert.match((await refused()).message, /full backup, and .* \/base\/1\/10 is in another one/);
  });

  it('when a tar of it is gone, or does not hold what it should', async () => {
    const names = storeChain(repository, [full, delta, delta]);
    const tar = `basebackups_005/${names[1]}/tar_partitions/part_001.tar`;
    repository.remove(tar);
    assert.match((await refused()).message, new RegExp(`${names[1]} lacks part_001.tar`));
    repository.put(tar, Buffer.alloc(1024));
    const error = await refused();
    assert.equal(error.code, 'backup-incomplete');
    assert.match(error.message, new RegExp(`no tar of ${names[1]} holds /base/1/10`));
  });

  it('when an increment is none', async () => {
    storeChain(repository, [
      full,
      { files: { 'base/1/10': increment(2, {}) } },
      { files: { 'base/1/10': { kind: 'increment', fileBytes: 2 ** 41, pages: [] } } },
    ]);
    const error = await refused();
    assert.equal(error.code, 'tar-invalid');
    assert.match(error.message, /part_001\.tar, base\/1\/10: the increment/);
  });
});
