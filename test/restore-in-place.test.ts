/** Restores in place: what stays, what comes, what goes, and what is refused before anything is changed. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { crc32c, crc32cHex } from '@tsbk/core/format/crc32c';
import { formatManifest } from '@tsbk/core/format/format-manifest';
import type { ManifestFile } from '@tsbk/core/format/manifest';
import { isTsbkError, type TsbkError } from '@tsbk/core/kernel/errors';
import { instantFromMs } from '@tsbk/core/kernel/instant';
import { toLsn } from '@tsbk/core/kernel/lsn';
import { toSystemId } from '@tsbk/core/kernel/system-id';
import { inlineLanes } from '@tsbk/core/lanes/inline';
import type { ReportEvent } from '@tsbk/core/ports/report';
import { fetchBackup, type FetchRequest } from '@tsbk/core/restore/fetch';
import { parseWantedNames } from '@tsbk/core/restore/partial/wanted-names';
import { planRestore } from '@tsbk/core/restore/plan-restore';
import { collect } from '@tsbk/core/stream/collect';
import { fetchRequest } from './support/fetch-request.ts';
import {
  PAGE,
  storeChain,
  type ChainLink,
  page,
  ZEROS,
  whole,
  text,
} from './support/fake-chain.ts';
import {
  FAKE_SYSTEM_ID,
  fakeControlFile,
  fakeRepository,
  fakeTar,
  type FakeRepository,
} from './support/fake-repository.ts';
import { treeOf } from './support/file-tree.ts';

let scratch: string;
let repository: FakeRepository;
let data: string;
let events: ReportEvent[];
let onEvent: (event: ReportEvent) => void;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'tsbk-in-place-'));
  repository = fakeRepository(join(scratch, 'repository'));
  data = join(scratch, 'data');
  events = [];
  onEvent = () => {};
});

afterEach(() => rmSync(scratch, { recursive: true }));

const { signal } = new AbortController();

const request = (more: Partial<FetchRequest> = {}): FetchRequest =>
  fetchRequest({
    destination: data,
    segmentBytes: 1024 * 1024,
    fsync: true,
    inPlace: true,
    ...more,
  });

async function fetch(more: Partial<FetchRequest> = {}, stop = signal) {
  const opened = await repository.open();
  const report = (event: ReportEvent): void => {
    events.push(event);
    onEvent(event);
  };
  return await fetchBackup({ repository: opened, lanes: inlineLanes(opened, 2) }, request(more), {
    signal: stop,
    report,
  });
}

/** Everything below a directory, as far as a restore decides about it. */
function snapshot(root: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    treeOf(root).map(({ path, kind, mode }) => {
      const at = join(root, path);
      const content =
        kind === 'file'
          ? readFileSync(at).toString('latin1')
          : kind === 'link'
            ? readlinkSync(at)
            : '';
      return [path, `${kind} ${kind === 'link' ? '' : mode.toString(8)} ${content}`];
    }),
  );
}

/** Refused, and nothing is changed. */
async function refused(more: Partial<FetchRequest> = {}): Promise<TsbkError> {
  const before = snapshot(scratch);
  let thrown: unknown;
  await fetch(more).catch((error: unknown) => (thrown = error));
  assert.ok(isTsbkError(thrown), `not refused: ${String(thrown)}`);
  assert.deepEqual(snapshot(scratch), before);
  return thrown;
}

const warnings = (): string[] =>
  events.flatMap((event) => (event.kind === 'warning' ? [event.code] : []));

const FILES: ChainLink['files'] = {
  PG_VERSION: text('17\n'),
  'base/1/2': whole(page('a'), page('b'), page('c')),
  'base/1/3': whole(page('d')),
  'base/1/3_fsm': whole(page('e')),
  'base/1/4': text(''),
  'pg_xact/0000': whole(page('x')),
};
const DIRECTORIES = ['', 'base', 'base/1', 'base/5', 'global', 'pg_xact', 'pg_wal', 'pg_tblspc'];

/** A full backup, with a manifest as servers of these days make it. */
async function storeFull(files = FILES, sentinel = {}): Promise<string> {
  const [name = ''] = storeChain(repository, [{ files, directories: DIRECTORIES, sentinel }]);
  await putManifest(name, files);
  return name;
}

async function putManifest(name: string, of: ChainLink['files']): Promise<void> {
  const files = Object.entries(of).flatMap(([path, file]): ManifestFile[] => {
    if (file.kind !== 'whole') return [];
    const bytes = Buffer.from(file.content);
    const checksum = crc32cHex(crc32c(bytes));
    return [
      {
        path,
        bytes: bytes.length,
        modified: instantFromMs(0),
        checksumAlgorithm: 'CRC32C',
        checksum,
      },
    ];
  });
  const walRanges = [{ timeline: 1, startLsn: toLsn(40), endLsn: toLsn(80) }];
  const source = formatManifest({ systemId: toSystemId(FAKE_SYSTEM_ID), files, walRanges });
  const manifest = await collect(source, { maxBytes: 1e6, what: 'manifest' });
  repository.put(`basebackups_005/${name}/backup_manifest`, manifest);
}

/** The restored directory, made fresh, and what it looks like. */
async function made() {
  await fetch({ inPlace: false });
  return snapshot(data);
}

/** As if nothing had happened to the file. */
function change(path: string, position: number, content: Uint8Array): void {
  const at = join(data, path);
  const { atime, mtime } = statSync(at);
  const bytes = readFileSync(at);
  bytes.set(content, position);
  writeFileSync(at, bytes);
  utimesSync(at, atime, mtime);
}

describe('a directory that is restored in place', () => {
  it('gets back every file that was changed, cut, extended, removed or damaged', async () => {
    await storeFull();
    const expected = await made();
    change('base/1/2', PAGE + 100, Buffer.from('!'));
    writeFileSync(join(data, 'base/1/3'), Buffer.concat([page('d'), page('more')]));
    truncateSync(join(data, 'base/1/3_fsm'), 100);
    rmSync(join(data, 'base/1/4'));
    writeFileSync(join(data, 'postgresql.auto.conf'), 'work_mem = 1\n');
    rmSync(join(data, 'base/5'), { recursive: true });
    const { files, inPlace } = await fetch();
    assert.deepEqual(snapshot(data), expected);
    assert.equal(files, 4);
    assert.deepEqual(inPlace?.kept, { files: 2, bytes: 3 + PAGE });
    // Two pages of three, and the one that was there of two.
    assert.equal(inPlace.sparedBytes, 3 * PAGE);
  });

  it('loses what the backup does not have, links as such', async () => {
    await storeFull();
    const expected = await made();
    const outside = join(scratch, 'outside');
    writeFileSync(outside, 'not ours');
    mkdirSync(join(data, 'base/16384/below'), { recursive: true });
    writeFileSync(join(data, 'base/16384/1'), page('dropped'));
    writeFileSync(join(data, 'base/1/2.1'), page('another segment'));
    writeFileSync(join(data, 'base/1/9'), page('created'));
    mkdirSync(join(data, 'log'));
    writeFileSync(join(data, 'log/today'), 'words');
    writeFileSync(join(data, 'pg_wal/000000010000000000000009'), 'old');
    writeFileSync(join(data, 'standby.signal'), '');
    writeFileSync(join(data, 'postmaster.opts'), '');
    symlinkSync(outside, join(data, 'link'));
    rmSync(join(data, 'base/1/3'));
    symlinkSync(outside, join(data, 'base/1/3'));
    const { inPlace } = await fetch();
    assert.deepEqual(snapshot(data), expected);
    assert.equal(readFileSync(outside, 'utf8'), 'not ours');
    assert.equal(inPlace?.sparedBytes, 0);
  });

  it('has files where directories are now, and the other way round', async () => {
    await storeFull();
    const expected = await made();
    rmSync(join(data, 'base/1/2'));
    mkdirSync(join(data, 'base/1/2/below'), { recursive: true });
    writeFileSync(join(data, 'base/1/2/below/file'), '');
    rmSync(join(data, 'base/5'), { recursive: true });
    writeFileSync(join(data, 'base/5'), 'no database');
    rmSync(join(data, 'pg_xact'), { recursive: true });
    writeFileSync(join(data, 'pg_xact'), 'no transactions');
    await fetch();
    assert.deepEqual(snapshot(data), expected);
  });

  it('is not written to under another name', async () => {
    await storeFull();
    const expected = await made();
    change('base/1/2', 0, Buffer.from('!'));
    linkSync(join(data, 'base/1/2'), join(scratch, 'snapshot'));
    const before = readFileSync(join(scratch, 'snapshot'));
    await fetch();
    assert.deepEqual(snapshot(data), expected);
    assert.ok(readFileSync(join(scratch, 'snapshot')).equals(before));
  });

  it('gets back what nobody may read or write', async () => {
    await storeFull();
    const expected = await made();
    change('base/1/2', 0, Buffer.from('!'));
    chmodSync(join(data, 'base/1/2'), 0o000);
    await fetch();
    assert.deepEqual(snapshot(data), expected);
  });

  it('fetches only tars that hold something that differs', async () => {
    await storeFull();
    const { plan: whole } = await fetch();
    change('base/1/2', 0, Buffer.from('!'));
    const { plan } = await fetch();
    const tars = plan.links.flatMap((link) => link.tars).map(({ name }) => name);
    assert.deepEqual(tars.toSorted(), ['backup_label.tar', 'part_001.tar', 'pg_control.tar']);
    assert.ok(plan.fetchBytes < whole.fetchBytes);
  });

  it('keeps nothing unproven where the backup has no manifest, and spares pages', async () => {
    storeChain(repository, [{ files: FILES, directories: DIRECTORIES }]);
    const expected = await made();
    change('base/1/2', 2 * PAGE, Buffer.from('!'));
    writeFileSync(join(data, 'base/1/9'), page('created'));
    const { inPlace, files } = await fetch();
    assert.deepEqual(snapshot(data), expected);
    assert.deepEqual(inPlace?.kept, { files: 0, bytes: 0 });
    assert.equal(files, 6);
    assert.equal(inPlace.sparedBytes, 3 + 5 * PAGE);
  });

  it('has no page of before where a chain of deltas has zeros', async () => {
    const full = { ...FILES, 'base/1/6': whole(page('f')) };
    const delta: ChainLink['files'] = {
      ...Object.fromEntries(Object.keys(FILES).map((path) => [path, { kind: 'skipped' }])),
      PG_VERSION: text('17\n'),
      'base/1/6': { kind: 'increment', fileBytes: 4 * PAGE, pages: [[3, page('new')]] },
    };
    storeChain(repository, [
      { files: full, directories: DIRECTORIES },
      { files: delta, directories: DIRECTORIES },
    ]);
    const expected = await made();
    writeFileSync(join(data, 'base/1/6'), Buffer.concat(['1', '2', '3', '4', '5'].map(page)));
    await fetch();
    assert.deepEqual(snapshot(data), expected);
    const content = readFileSync(join(data, 'base/1/6'));
    assert.ok(content.equals(Buffer.concat([page('f'), ZEROS, ZEROS, page('new')])));
  });

  it('keeps the link of pg_wal, and nothing behind it', async () => {
    await storeFull();
    await made();
    const wal = join(scratch, 'wal');
    renameSync(join(data, 'pg_wal'), wal);
    symlinkSync(wal, join(data, 'pg_wal'));
    mkdirSync(join(wal, 'lost+found'));
    writeFileSync(join(wal, '000000010000000000000009'), 'old');
    writeFileSync(join(wal, 'archive_status/000000010000000000000009.ready'), '');
    await fetch();
    assert.equal(readlinkSync(join(data, 'pg_wal')), wal);
    const found = readdirSync(wal).toSorted();
    assert.deepEqual(found, ['archive_status', 'lost+found', 'summaries', 'tsbk_restore.json']);
    assert.deepEqual(readdirSync(join(wal, 'archive_status')), []);
    assert.ok(warnings().includes('wal-not-archived'));
  });

  it('is filled like any other if it is empty or not there', async () => {
    await storeFull();
    const { inPlace } = await fetch();
    assert.equal(inPlace, undefined);
    assert.ok(existsSync(join(data, 'global/pg_control')));
  });

  it('is brought to the end by a repetition, wherever it was stopped', async () => {
    await storeFull();
    const expected = await made();
    const spoil = (): void => {
      change('base/1/2', 0, Buffer.from('!'));
      writeFileSync(join(data, 'base/1/9'), page('created'));
    };
    let begun = 0;
    for (let stopAt = 1; ; stopAt += 6) {
      spoil();
      const before = snapshot(data);
      const stop = new AbortController();
      let calls = 0;
      const throwIfAborted = stop.signal.throwIfAborted.bind(stop.signal);
      stop.signal.throwIfAborted = () => {
        calls += 1;
        if (calls === stopAt) stop.abort(new Error('stopped'));
        throwIfAborted();
      };
      const isStopped = await fetch({ fsync: false }, stop.signal).then(
        () => false,
        () => true,
      );
      if (!isStopped) break;
      if (existsSync(join(data, 'global/pg_control'))) assert.deepEqual(snapshot(data), before);
      else {
        begun += 1;
        assert.ok(existsSync(join(data, 'tsbk_restore_incomplete')));
      }
      await fetch({ fsync: false });
      assert.deepEqual(snapshot(data), expected, `stopped at ${stopAt}`);
    }
    assert.ok(begun > 1, `stopped ${begun} times after the beginning`);
  });

  it('may be what an interrupted restore into an empty directory left', async () => {
    await storeFull();
    const expected = await made();
    const mark = `Restore of x by tsbk: not complete.\nCluster ${FAKE_SYSTEM_ID}\n`;
    writeFileSync(join(data, 'tsbk_restore_incomplete'), mark);
    rmSync(join(data, 'global'), { recursive: true });
    rmSync(join(data, 'PG_VERSION'));
    await fetch();
    assert.deepEqual(snapshot(data), expected);
  });
});

describe('a restore in place', () => {
  it('is refused where a server works, or something that nobody can judge', async () => {
    await storeFull();
    await made();
    const lock = (content: string): void => writeFileSync(join(data, 'postmaster.pid'), content);
    lock(`${process.ppid}\n${data}\n`);
    assert.match((await refused()).message, /is in use: process \d+ runs there/);
    // A plan says so before anything is locked.
    const opened = await repository.open();
    const plan = await planRestore(opened, request(), { signal, report: () => {} });
    assert.match(plan.problems[0]?.message ?? '', /is in use/);
    lock('');
    assert.match((await refused()).message, /does not name a process/);
    // Of a server that is gone; and one's own number is that of an earlier container.
    for (const pid of [2 ** 30, process.pid]) {
      lock(`${pid}\n${data}\n1\n5432\n/tmp\nlocalhost\n        1         1\nready   \n`);
      await fetch();
      assert.equal(existsSync(join(data, 'postmaster.pid')), false);
    }
  });

  it('locks servers and other restores out while it works', async () => {
    await storeFull();
    await made();
    const pids: string[] = [];
    onEvent = (event) => {
      if (event.kind !== 'phase' || event.phase === 'plan') return;
      pids.push(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0] ?? '');
    };
    await fetch();
    assert.ok(pids.length > 3);
    assert.deepEqual(new Set(pids), new Set([String(process.pid)]));
  });

  it('is refused in another cluster, another version, and what is no data directory', async () => {
    await storeFull();
    await made();
    const control = join(data, 'global/pg_control');
    const own = readFileSync(control);
    writeFileSync(control, fakeControlFile(5n));
    assert.equal((await refused()).code, 'wrong-system-id');
    writeFileSync(control, 'torn');
    assert.match((await refused()).message, /cannot be told to be of the backup's cluster/);
    rmSync(control);
    assert.match((await refused()).message, /cannot be told to be of the backup's cluster/);
    const mark = join(data, 'tsbk_restore_incomplete');
    writeFileSync(mark, 'Restore of x by tsbk\nCluster 5\n');
    assert.equal((await refused()).code, 'wrong-system-id');
    rmSync(mark);
    writeFileSync(control, own);
    writeFileSync(join(data, 'PG_VERSION'), '16\n');
    assert.match((await refused()).message, /is of PostgreSQL 16, .* of 17/);
    rmSync(join(data, 'PG_VERSION'));
    const error = await refused();
    assert.deepEqual(
      [error.code, /is not a data directory/.test(error.message)],
      ['target-not-empty', true],
    );
  });

  it('is refused where a link leads to a directory', async () => {
    await storeFull();
    await made();
    mkdirSync(join(scratch, 'elsewhere'));
    writeFileSync(join(scratch, 'elsewhere/2'), 'not ours');
    renameSync(join(data, 'base/1'), join(scratch, 'kept'));
    symlinkSync(join(scratch, 'elsewhere'), join(data, 'base/1'));
    assert.match((await refused()).message, /base\/1 is a link to a directory/);
    rmSync(join(data, 'base/1'));
    symlinkSync(data, join(data, 'pg_wal.new'));
    rmSync(join(data, 'pg_wal'), { recursive: true });
    renameSync(join(data, 'pg_wal.new'), join(data, 'pg_wal'));
    assert.match((await refused()).message, /pg_wal that leads to no directory outside/);
  });

  it('is refused where a directory cannot be written to', async () => {
    await storeFull();
    await made();
    chmodSync(join(data, 'base/1'), 0o500);
    assert.match((await refused()).message, /base\/1 belongs to user \d+ and has mode 500/);
    chmodSync(join(data, 'base/1'), 0o700);
    if (process.geteuid?.() !== 0) return;
    chownSync(join(data, 'base/1'), 12_345, 12_345);
    assert.match((await refused()).message, /base\/1 belongs to user 12345/);
    chownSync(join(data, 'base/1'), 0, 0);
    change('base/1/2', 0, Buffer.from('!'));
    chownSync(join(data, 'base/1/2'), 12_345, 12_345);
    await fetch();
    assert.equal(statSync(join(data, 'base/1/2')).uid, 0);
  });

  it('needs to be asked for', async () => {
    await storeFull();
    await made();
    assert.match((await refused({ inPlace: false })).hint ?? '', /--delta/);
  });

  it('is not for parts of a backup', async () => {
    await storeFull();
    await made();
    const error = await refused({ only: parseWantedNames('postgres') });
    assert.deepEqual(error.code, 'usage');
    assert.match(error.message, /parts of a backup cannot be restored in place/);
  });
});

describe('tablespaces of a directory that is restored in place', () => {
  const location = (): string => join(scratch, 'space');
  const files: ChainLink['files'] = {
    ...FILES,
    'pg_tblspc/16400/PG_17_1/5/1': whole(page('1'), page('2')),
    'pg_tblspc/16400/PG_17_1/5/2': whole(page('3')),
  };

  async function storeWithTablespace(): Promise<void> {
    const link = { loc: location(), link: 'pg_tblspc/16400' };
    const spec = { base_prefix: '/old', tablespaces: ['16400'], '16400': link };
    const map = { name: 'tablespace_map', content: `16400 ${location()}\n` };
    const name = await storeFull(files, { Spec: spec });
    const tar = `basebackups_005/${name}/tar_partitions/map.tar`;
    repository.put(tar, fakeTar([map]));
  }

  it('lose and get what the data directory does, and nothing of other versions', async () => {
    await storeWithTablespace();
    const expected = await made();
    const inside = snapshot(location());
    change('pg_tblspc/16400/PG_17_1/5/1', PAGE, Buffer.from('!'));
    writeFileSync(join(location(), 'PG_17_1/5/9'), page('created'));
    mkdirSync(join(location(), 'PG_16_1'));
    writeFileSync(join(location(), 'PG_16_1/1'), 'of the server of before');
    const other = join(scratch, 'other');
    mkdirSync(join(other, 'PG_17_1'), { recursive: true });
    symlinkSync(other, join(data, 'pg_tblspc/16500'));
    const { inPlace } = await fetch();
    assert.deepEqual(snapshot(data), expected);
    assert.equal(inPlace?.sparedBytes, PAGE);
    assert.ok(existsSync(join(location(), 'PG_16_1/1')));
    rmSync(join(location(), 'PG_16_1'), { recursive: true });
    assert.deepEqual(snapshot(location()), inside);
    assert.ok(existsSync(join(other, 'PG_17_1')));
    assert.ok(warnings().includes('tablespace-left'));
  });

  it('are refused where the plan has them and the directory does not', async () => {
    await storeWithTablespace();
    await made();
    const to = join(scratch, 'moved');
    const tablespaceMapping = [{ from: '16400', to }];
    const error = await refused({ tablespaceMapping });
    assert.match(error.message, /tablespace 16400 is at .*space and shall go to .*moved/);
    assert.match(error.hint ?? '', /--tablespace-mapping 16400=/);
    rmSync(join(data, 'pg_tblspc/16400'));
    assert.match((await refused()).message, /is not empty, and no tablespace of this directory/);
    const mark = `Restore of x by tsbk\nCluster ${FAKE_SYSTEM_ID}\nremove\n${location()}\n`;
    writeFileSync(join(data, 'tsbk_restore_incomplete'), mark);
    await fetch();
    assert.equal(readlinkSync(join(data, 'pg_tblspc/16400')), location());
  });
});
