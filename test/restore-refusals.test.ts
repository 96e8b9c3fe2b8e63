/** What a restore refuses, and that it leaves nothing behind. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { crc32c, crc32cHex } from '@tsbk/core/format/crc32c';
import { formatManifest } from '@tsbk/core/format/format-manifest';
import type { JsonObject } from '@tsbk/core/format/json';
import type { ManifestFile } from '@tsbk/core/format/manifest';
import { FakeWal } from '@tsbk/core/format/wal/fake-wal';
import { isTsbkError, type TsbkError } from '@tsbk/core/kernel/errors';
import { instantFromMs } from '@tsbk/core/kernel/instant';
import { toLsn } from '@tsbk/core/kernel/lsn';
import { toSystemId } from '@tsbk/core/kernel/system-id';
import { inlineLanes } from '@tsbk/core/lanes/inline';
import type { ReportEvent } from '@tsbk/core/ports/report';
import { fetchBackup, type FetchRequest } from '@tsbk/core/restore/fetch';
import { collect } from '@tsbk/core/stream/collect';
import { fetchRequest } from './support/fetch-request.ts';
import {
  FAKE_SYSTEM_ID,
  fakeControlFile,
  fakeRepository,
  fakeTar,
  type FakeBackup,
  type FakeMember,
  type FakeRepository,
} from './support/fake-repository.ts';

let scratch: string;
let repository: FakeRepository;
let destination: string;
let events: ReportEvent[];
let onEvent: (event: ReportEvent) => void;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'tsbk-refusals-'));
  repository = fakeRepository(join(scratch, 'repository'));
  destination = join(scratch, 'restored');
  events = [];
  onEvent = () => {};
});

afterEach(() => rmSync(scratch, { recursive: true }));

/** A repository with one backup and its WAL. */
function backup(of: Partial<FakeBackup> = {}): string {
  const wal = new FakeWal();
  const startLsn = wal.filler(100);
  const stopLsn = wal.filler(100);
  wal.commit(700, instantFromMs(0));
  repository.archive(wal);
  const time = instantFromMs(Date.UTC(2026, 10, 22));
  return repository.backup({ startLsn, stopLsn, startTime: time, finishTime: time, ...of });
}

async function fetch(request: Partial<FetchRequest> = {}, signal = new AbortController().signal) {
  const opened = await repository.open();
  return await fetchBackup(
    { repository: opened, lanes: inlineLanes(opened, 2) },
    fetchRequest({ destination, ...request }),
    {
      signal,
      report: (event) => {
        events.push(event);
        onEvent(event);
      },
    },
  );
}

async function refused(request: Partial<FetchRequest> = {}): Promise<TsbkError> {
  let thrown: unknown;
  await fetch(request).catch((error: unknown) => (thrown = error));
  assert.ok(isTsbkError(thrown), `not refused: ${String(thrown)}`);
  return thrown;
}

const part = (...members: readonly FakeMember[]): Partial<FakeBackup> => ({
  tars: { 'part_001.tar': [{ name: '/PG_VERSION', content: '17\n' }, ...members] },
});

const warnings = (): string[] =>
  events.flatMap((event) => (event.kind === 'warning' ? [event.code] : []));

describe('a restore', () => {
  it('makes a directory that a server can start in', async () => {
    const files = ['/', '/base', '/base/1/5', '/PG_VERSION', '/conf.d/link'];
    backup({
      ...part(
        { name: '/', mode: 0o750 },
        { name: '/base/', mode: 0o750 },
        { name: '/base/1/5', content: 'x'.repeat(100_000), mode: 0o640 },
        { name: '/conf.d/link', linkTo: '../PG_VERSION' },
        { name: '/postgresql.auto.conf', content: "work_mem = '1MB'\nrecovery_target_xid = '5'\n" },
        { name: '/standby.signal' },
        { name: '/postmaster.pid', content: '1\n' },
        { name: Buffer.from('/h\xe9', 'latin1'), content: 'latin' },
        { name: '/not/listed', content: 'x' },
      ),
      filesMetadata: {
        Files: Object.fromEntries(
          [...files, '/postgresql.auto.conf', '/standby.signal', '/postmaster.pid'].map((name) => [
            name,
            { IsSkipped: false, IsIncremented: false },
          ]),
        ),
      },
    });
    const { plan, files: count } = await fetch();
    assert.deepEqual([plan.problems, count], [[], 4]);
    const names = readdirSync(destination);
    for (const name of ['recovery.signal', 'backup_label', 'tablespace_map', 'pg_wal', 'pg_xact']) {
      assert.ok(names.includes(name), name);
    }
    for (const name of ['standby.signal', 'postmaster.pid', 'not', 'tsbk_restore_incomplete']) {
      assert.ok(!names.includes(name), name);
    }
    const modes = ['', 'base', 'base/1/5', 'recovery.signal'].map(
      (path) => statSync(join(destination, path)).mode & 0o777,
    );
    assert.deepEqual(modes, [0o750, 0o750, 0o640, 0o640]);
    const conf = readFileSync(join(destination, 'postgresql.auto.conf'), 'utf8');
    assert.match(conf, /^work_mem = '1MB'\n# tsbk begin/);
    assert.doesNotMatch(conf, /xid = '5'/);
    assert.deepEqual(readFileSync(join(destination, 'global/pg_control')), fakeControlFile());
    assert.equal(readlinkSync(join(destination, 'conf.d/link')), '../PG_VERSION');
    assert.match(
      readFileSync(join(destination, 'pg_wal/tsbk_restore.json'), 'utf8'),
      /"first":"000000010000000000000001","last":"000000010000000000000001"/,
    );
  });

  it('writes a standby, or nothing for recovery at all, when that is asked', async () => {
    backup();
    await fetch({ standby: true });
    assert.ok(existsSync(join(destination, 'standby.signal')));
    assert.ok(!existsSync(join(destination, 'recovery.signal')));
    const bare = join(scratch, 'bare');
    await fetch({ destination: bare, writeRecoverySettings: false });
    assert.ok(!existsSync(join(bare, 'recovery.signal')));
    assert.ok(!existsSync(join(bare, 'postgresql.auto.conf')));
  });

  it('takes pg_control and labels from their own tars, wherever else they are', async () => {
    backup(
      part(
        { name: '/backup_label', content: 'START WAL LOCATION: 0/1 (stale)' },
        { name: '/global/pg_control', content: 'older' },
        { name: '/tablespace_map', content: '99 /etc\n' },
      ),
    );
    await fetch();
    assert.deepEqual(readFileSync(join(destination, 'global/pg_control')), fakeControlFile());
    assert.equal(readFileSync(join(destination, 'tablespace_map'), 'utf8'), '');
  });

  it('reads names with and without leading slash and tars without end blocks', async () => {
    const name = backup(part({ name: './base/1/5', content: 'x' }, { name: 'base/1/6' }));
    const tar = fakeTar([{ name: 'PG_VERSION', content: '17\n' }]);
    const key = `basebackups_005/${name}/tar_partitions/part_002.tar`;
    repository.put(key, tar.subarray(0, tar.length - 1024));
    await fetch();
    assert.deepEqual(readdirSync(join(destination, 'base/1')), ['5', '6']);
    // PG_VERSION was there twice.
    assert.deepEqual(warnings().includes('duplicate'), true);
  });
});

describe('a file that appears while its directory is restored', () => {
  const records = { Files: { '/PG_VERSION': {}, '/x': {} } };
  for (const filesMetadata of [undefined, records]) {
    const by = filesMetadata === undefined ? 'without' : 'with';
    it(`is not taken for the one of the backup, ${by} a list of its files`, async () => {
      backup({ ...part({ name: '/x', content: 'ours' }), ...(filesMetadata && { filesMetadata }) });
      onEvent = (event) => {
        if (event.kind !== 'phase' || event.phase !== 'extract') return;
        writeFileSync(join(destination, 'x'), 'not ours');
      };
      const error = await refused();
      assert.equal(error.code, 'restore-failed');
      assert.match(error.message, /^x appeared in the directory/);
    });
  }
});

describe('a hostile backup', () => {
  const leavesNothing = (): void => {
    assert.deepEqual(readdirSync(scratch).toSorted(), ['repository']);
  };

  for (const name of ['../x', '/../../x', 'a/../../x', 'a/./b', 'a//b', `a/${'x'.repeat(300)}`]) {
    it(`with the name ${JSON.stringify(name.slice(0, 20))} is refused`, async () => {
      backup(part({ name, content: 'evil' }));
      assert.equal((await refused()).code, 'unsafe-name');
      leavesNothing();
    });
  }

  it('with a link that leads outside does not get it', async () => {
    backup(part({ name: '/evil', linkTo: '/etc' }, { name: '/up', linkTo: '../../x' }));
    await fetch();
    assert.ok(!readdirSync(destination).some((name) => name === 'evil' || name === 'up'));
    assert.deepEqual(
      warnings().filter((code) => code === 'link-outside'),
      ['link-outside', 'link-outside'],
    );
  });

  it('that would write through its own link is refused', async () => {
    const outside = join(scratch, 'outside');
    mkdirSync(outside);
    backup(part({ name: '/d', linkTo: 'base' }, { name: '/d/x', content: 'evil' }));
    assert.equal((await refused()).code, 'restore-failed');
    assert.deepEqual(readdirSync(outside), []);
  });

  it('with hard links or devices is refused', async () => {
    const name = backup();
    for (const type of ['1', '3', '6']) {
      const tar = Buffer.from(fakeTar([{ name: '/x' }]));
      tar.write(type, 156);
      tar.write('        ', 148);
      const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
      tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
      repository.put(`basebackups_005/${name}/tar_partitions/part_001.tar`, tar);
      assert.equal((await refused()).code, 'tar-invalid');
      leavesNothing();
    }
  });

  it('whose tablespace is at a directory in use is refused before anything is written', async () => {
    const inUse = join(scratch, 'etc');
    mkdirSync(inUse);
    writeFileSync(join(inUse, 'passwd'), 'root');
    backup({ sentinel: { Spec: spec(inUse) } });
    const error = await refused();
    assert.equal(error.code, 'target-not-empty');
    assert.match(error.message, /tablespace 16400/);
    assert.deepEqual([existsSync(destination), readdirSync(inUse)], [false, ['passwd']]);
  });

  it('whose tablespace map names a tablespace that its record does not is refused', async () => {
    const map = { name: 'tablespace_map', content: '16400 /etc\n' };
    backup({ tars: { 'backup_label.tar': [...labelOf(), map] } });
    assert.equal((await refused()).code, 'record-invalid');
    leavesNothing();
  });

  it('of another cluster under this name is refused', async () => {
    backup({ sentinel: { SystemIdentifier: 5 } });
    assert.match((await refused()).message, /pg_control is of the cluster/);
    leavesNothing();
  });

  it('mixed with another one under the same name is refused', async () => {
    const name = backup();
    const sentinel = `basebackups_005/${name}_backup_stop_sentinel.json`;
    const text = readFileSync(join(repository.root, sentinel), 'utf8');
    repository.put(
      sentinel,
      text.replace(/"LSN":(\d+)/, (_, lsn) => `"LSN":${BigInt(lsn) - 8n}`),
    );
    assert.match((await refused()).message, /backup_label says that it starts elsewhere/);
    leavesNothing();
  });
});

describe('a damaged backup', () => {
  it('that lacks a tar, a control file or a label is refused', async () => {
    const name = backup({
      filesMetadata: { TarFileSets: { 'part_001.tar': [], 'part_007.tar': [] } },
    });
    assert.match((await refused()).message, /it lacks part_007\.tar/);
    assert.equal(existsSync(destination), false);
    rmSync(join(repository.root, `basebackups_005/${name}/files_metadata.json`));
    for (const [tar, what] of [
      ['backup_label.tar', 'backup_label'],
      ['pg_control.tar', 'global/pg_control'],
    ] as const) {
      const key = `basebackups_005/${name}/tar_partitions/${tar}`;
      const content = readFileSync(join(repository.root, key));
      repository.remove(key);
      assert.match((await refused()).message, new RegExp(`has no ${what}`));
      repository.put(key, content);
    }
    await fetch();
  });

  it('of which a listed file is in no tar is refused', async () => {
    backup({ filesMetadata: { Files: { '/PG_VERSION': {}, '/base/1/5': {} } } });
    const error = await refused();
    assert.equal(error.code, 'backup-incomplete');
    assert.match(error.message, /\/base\/1\/5/);
    assert.equal(existsSync(destination), false);
  });

  it('whose tar ends early is refused', async () => {
    const name = backup();
    const tar = fakeTar([{ name: '/PG_VERSION', content: 'x'.repeat(5000) }]);
    const key = `basebackups_005/${name}/tar_partitions/part_001.tar`;
    for (const bytes of [100, 512, 3000]) {
      repository.put(key, tar.subarray(0, bytes));
      assert.equal((await refused()).code, 'tar-invalid', String(bytes));
    }
  });

  it('of which a file is not what the manifest says is refused', async () => {
    const name = backup();
    const good = manifestFile('PG_VERSION', '17\n');
    for (const [files, message] of [
      [[{ ...good, bytes: 4 }], /PG_VERSION in the backup has 3 bytes, the manifest says 4/],
      [[{ ...good, checksum: '00000000' }], /PG_VERSION in the backup has another checksum/],
      [[good, manifestFile('base/1/5', 'x')], /no tar of .* holds base\/1\/5/],
    ] as const) {
      await putManifest(name, files);
      assert.match((await refused()).message, message);
      assert.equal(existsSync(destination), false);
    }
    await putManifest(name, [good]);
    await fetch();
    const stored = readFileSync(join(repository.root, `basebackups_005/${name}/backup_manifest`));
    assert.deepEqual(readFileSync(join(destination, 'backup_manifest')), stored);
  });

  it('that says that a file is only in its parent is refused', async () => {
    backup({ filesMetadata: { Files: { '/PG_VERSION': {}, '/base/1/5': { IsSkipped: true } } } });
    assert.match((await refused()).message, /in another one/);
  });
});

describe('a destination', () => {
  it('that is not empty is refused, whatever is in it', async () => {
    backup();
    for (const [content, message] of [
      ['file', /is not empty \(there is "file"\)/],
      ['postmaster.pid', /belongs to a PostgreSQL server/],
      ['lost+found', /is the root of a file system/],
      ['tsbk_restore_incomplete', /a restore that was interrupted/],
    ] as const) {
      mkdirSync(destination);
      writeFileSync(join(destination, content), '');
      const error = await refused();
      assert.equal(error.code, 'target-not-empty');
      assert.match(error.message, message);
      assert.deepEqual(readdirSync(destination), [content]);
      rmSync(destination, { recursive: true });
    }
  });

  it('in the repository, around it or without a parent is refused', async () => {
    backup();
    for (const path of ['repository/x', 'repository/basebackups_005', 'no/parent']) {
      assert.equal((await refused({ destination: join(scratch, path) })).code, 'target-not-empty');
    }
  });

  it('that is a link to an empty directory is filled there', async () => {
    backup();
    mkdirSync(join(scratch, 'real'));
    symlinkSync(join(scratch, 'real'), destination);
    await fetch();
    assert.ok(existsSync(join(scratch, 'real/global/pg_control')));
  });

  it('stays, empty, when the restore fails', async () => {
    backup(part({ name: '../x' }));
    mkdirSync(destination);
    await refused();
    assert.deepEqual(readdirSync(destination), []);
  });

  it('is cleared when the restore is stopped, whenever that is', async () => {
    const files = Array.from({ length: 10 }, (_, n) => ({ name: `/base/1/${n}`, content: 'x' }));
    backup(part(...files));
    for (let stopAt = 1; ; stopAt += 1) {
      const stop = new AbortController();
      const reason = new Error('stopped');
      let calls = 0;
      // The signal is asked at every step: stop at the n-th.
      const { signal } = stop;
      const throwIfAborted = signal.throwIfAborted.bind(signal);
      signal.throwIfAborted = () => {
        calls += 1;
        if (calls === stopAt) stop.abort(reason);
        throwIfAborted();
      };
      const error = await fetch({}, signal).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (error === undefined) break;
      assert.equal(error, reason);
      assert.equal(existsSync(destination), false, `stopped at ${stopAt}`);
    }
    assert.ok(existsSync(join(destination, 'global/pg_control')));
  });
});

describe('tablespaces', () => {
  it('go where they are mapped, and the map for the server says the same', async () => {
    const location = join(scratch, 'old');
    backup({
      sentinel: { Spec: spec(location) },
      tars: {
        'part_001.tar': [{ name: '/pg_tblspc/16400/PG_17_1/5/1', content: 'row' }],
        'backup_label.tar': [
          ...labelOf(),
          { name: 'tablespace_map', content: `16400 ${location}\n` },
        ],
      },
    });
    const to = join(scratch, 'new=dir\nwith newline');
    await fetch({ tablespaceMapping: [{ from: location, to }] });
    assert.equal(readlinkSync(join(destination, 'pg_tblspc/16400')), to);
    assert.equal(readFileSync(join(to, 'PG_17_1/5/1'), 'utf8'), 'row');
    assert.equal(
      readFileSync(join(destination, 'tablespace_map'), 'utf8'),
      `16400 ${to.replace('\n', '\\\n')}\n`,
    );
    assert.equal(existsSync(location), false);
  });

  it('go where they were if nothing is said, and are cleared with the rest on failure', async () => {
    const location = join(scratch, 'ts');
    const tablespace = { name: '/pg_tblspc/16400/PG_17_1/5/1', content: 'row' };
    backup({ sentinel: { Spec: spec(location) }, ...part(tablespace) });
    await fetch();
    assert.equal(readFileSync(join(location, 'PG_17_1/5/1'), 'utf8'), 'row');
    rmSync(destination, { recursive: true });
    rmSync(location, { recursive: true });
    backup({ sentinel: { Spec: spec(location) }, ...part(tablespace, { name: '../x' }) });
    await refused();
    assert.deepEqual([existsSync(location), existsSync(destination)], [false, false]);
  });

  it('inside the data directory stay inside', async () => {
    const inside = { base_prefix: '/old/data', tablespaces: ['16400'], '16400': {} as JsonObject };
    inside['16400'] = { loc: '/old/data/ts', link: 'pg_tblspc/16400' };
    backup({ sentinel: { Spec: inside }, ...part({ name: '/ts/PG_17_1/5/1', content: 'row' }) });
    await fetch();
    const link = readlinkSync(join(destination, 'pg_tblspc/16400'));
    assert.equal(link, join(destination, 'ts'));
    assert.equal(readFileSync(join(link, 'PG_17_1/5/1'), 'utf8'), 'row');
    assert.ok(warnings().includes('tablespace-inside'));
  });
});

function manifestFile(path: string, content: string): ManifestFile {
  const bytes = Buffer.from(content);
  return {
    path,
    bytes: bytes.length,
    modified: instantFromMs(0),
    checksumAlgorithm: 'CRC32C',
    checksum: crc32cHex(crc32c(bytes)),
  };
}

async function putManifest(name: string, files: readonly ManifestFile[]): Promise<void> {
  const walRanges = [{ timeline: 1, startLsn: toLsn(40), endLsn: toLsn(80) }];
  const source = formatManifest({ systemId: toSystemId(FAKE_SYSTEM_ID), files, walRanges });
  const text = await collect(source, { maxBytes: 1e6, what: 'manifest' });
  repository.put(`basebackups_005/${name}/backup_manifest`, text);
}

function spec(location: string): JsonObject {
  return {
    base_prefix: '/old',
    tablespaces: ['16400'],
    '16400': { loc: location, link: 'pg_tblspc/16400' },
  };
}

/** The label of the backup that `backup` makes. */
function labelOf(): FakeMember[] {
  const wal = new FakeWal();
  const lsn = wal.filler(100).toString(16).toUpperCase();
  const content = [
    `START WAL LOCATION: 0/${lsn} (file 000000010000000000000001)`,
    `CHECKPOINT LOCATION: 0/${lsn}`,
    'BACKUP METHOD: streamed',
    'BACKUP FROM: primary',
    'START TIMELINE: 1',
    '',
  ].join('\n');
  return [{ name: 'backup_label', content }];
}
