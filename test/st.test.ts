/** The storage tools: WAL-G's verbs, on a directory and on S3. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import {
  giveToServerUser,
  scratchPath,
  scratchPathForServerUser,
  serverUser,
} from './support/postgres.ts';
import { refused } from './support/refused.ts';
import { openTestStore, type TestStore } from './support/store.ts';
import { installedTsbk, runTsbk, type TsbkRun } from './support/tsbk.ts';
import { runWalg, walgLacks } from './support/walg.ts';

const CASE = resolve(import.meta.dirname, 'fixtures/walg/local-lz4-3.0.5');
const NAME = 'base_000000010000000000000002';
const SEGMENT = 'wal_005/000000010000000000000002.lz4';

const lines = (run: TsbkRun) => run.stdout.trimEnd().split('\n');

for (const kind of ['directory', 's3'] as const) {
  describe(`tsbk st on ${kind === 's3' ? 'S3' : 'a directory'}`, () => {
    let store: TestStore;
    let folder: string;
    const st = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
      runTsbk(['st', ...args], { env: { ...store.env, ...env }, cwd: folder });
    const done = async (...args: readonly string[]): Promise<TsbkRun> => {
      const run = await st(args);
      assert.equal(run.code, 0, run.stderr);
      return run;
    };
    const names = async (path: string): Promise<string[]> => {
      const { stdout } = await done('ls', '-r', '--json', path);
      return (JSON.parse(stdout) as { name: string }[]).map(({ name }) => name);
    };

    before(async () => {
      store = await openTestStore(kind);
      folder = scratchPathForServerUser('st');
      mkdirSync(folder);
      writeFileSync(join(folder, 'note.txt'), 'hello '.repeat(1000));
      giveToServerUser(folder);
    });
    after(() => store[Symbol.asyncDispose]());

    it('put compresses, names the object by its codec and never replaces unasked', async () => {
      assert.match((await done('put', 'note.txt', 'a/note.txt', '--plan')).stdout, /would write/);
      assert.deepEqual(await names('a'), []);
      assert.match((await done('put', 'note.txt', 'a/note.txt')).stdout, /^a\/note\.txt\.lz4, /);
      refused(await st(['put', 'note.txt', 'a/note.txt']), 65, 'object-exists', '--force');
      await done('put', 'note.txt', 'a/note.txt', '--force');
      await done('put', 'note.txt', 'a/plain.txt', '--no-compress', '--no-encrypt');
      assert.deepEqual(await names('a/'), ['note.txt.lz4', 'plain.txt']);
    });

    it('put takes standard input', async () => {
      const { cli, env } = installedTsbk();
      const program = `echo piped | ${cli} st put --read-stdin b/piped --json`;
      // Not waited for in this thread: it may be the one that the S3 server runs in.
      const { stdout } = await promisify(execFile)('sh', ['-c', program], {
        env: { ...env, ...store.env },
        ...serverUser(),
      });
      const { key, bytes } = JSON.parse(stdout) as { key: string; bytes: string };
      assert.deepEqual([key, bytes], ['b/piped.lz4', '6']);
      await done('rm', 'b');
    });

    it('cat writes what is stored, or what it means', async () => {
      assert.equal((await done('cat', 'a/plain.txt')).stdout, 'hello '.repeat(1000));
      const { stdout } = await done('cat', 'a/note.txt.lz4', '--decrypt', '--decompress');
      assert.equal(stdout, 'hello '.repeat(1000));
      assert.ok((await done('cat', 'a/note.txt.lz4')).stdout.length < 1000);
      refused(await st(['cat', 'nothing']), 1, 'object-missing', 'nothing');
    });

    it('get writes a whole file that only its owner reads, and replaces none', async () => {
      await done('get', 'a/note.txt.lz4', 'back.txt');
      const back = join(folder, 'back.txt');
      assert.equal(readFileSync(back, 'utf8'), 'hello '.repeat(1000));
      assert.equal(statSync(back).mode & 0o777, 0o600);
      refused(await st(['get', 'a/plain.txt', 'back.txt']), 1, 'download-failed', 'exists');
      await done('get', 'a/plain.txt', '.');
      assert.equal(readFileSync(join(folder, 'plain.txt'), 'utf8'), 'hello '.repeat(1000));
    });

    it('encrypts and decrypts like everything else, and leaves records alone', async () => {
      const key = { TSBK_LIBSODIUM_KEY: 'k'.repeat(32) };
      assert.equal((await st(['put', 'note.txt', 'secret', '--no-compress'], key)).code, 0);
      assert.ok(!(await st(['cat', 'secret'], key)).stdout.includes('hello'));
      const { stdout } = await st(['cat', 'secret', '--decrypt'], key);
      assert.equal(stdout, 'hello '.repeat(1000));
      await done('rm', 'secret');
    });

    it('ls lists a folder or all below it, and an absent folder is empty', async () => {
      const [head, ...rows] = lines(await done('ls'));
      assert.match(head ?? '', /^type +size +last modified +name$/);
      assert.match(rows[0] ?? '', /^dir +0 +0001-01-01 00:00:00 \+0000 UTC +a\/$/);
      const pattern = /^obj +\d+ +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S* \+0000 UTC +note\.txt\.lz4$/;
      assert.match(lines(await done('ls', 'a'))[1] ?? '', pattern);
      assert.deepEqual(await names('absent'), []);
    });

    it('check finds out whether objects are there and whether one can be written', async () => {
      await done('check', 'read', 'a/plain.txt');
      await done('check', 'write');
      refused(await st(['check', 'read', 'a/plain.txt', 'x', 'y']), 1, 'object-missing', 'x, y');
      refused(await st(['check', 'raed']), 2, 'usage');
      assert.deepEqual(await names(''), ['a/note.txt.lz4', 'a/plain.txt']);
    });

    it('rm takes whole names, says first what goes, and refuses names that are not there', async () => {
      refused(await st(['rm', 'a/no']), 1, 'object-missing');
      refused(await st(['rm', '/']), 1, 'unsafe-name');
      assert.match((await done('rm', 'a', '--plan')).stdout, /^would remove a\/: 2 objects, /);
      assert.equal((await names('a')).length, 2);
      await done('rm', 'a/note.txt.lz4');
      assert.deepEqual(await names('a'), ['plain.txt']);
      await done('rm', 'a/');
      assert.deepEqual(await names(''), []);
    });

    it('refuses what it does not do, instead of doing something else', async () => {
      refused(await st(['ls', '--glob', '*']), 2, 'unsupported-setting', '--glob');
      refused(await st(['rm', '--all-versions', 'x']), 2, 'unsupported-setting');
      refused(await st(['ls', '--target', 'other']), 2, 'unsupported-setting');
    });
  });
}

describe('tsbk st on a repository of WAL-G', () => {
  let root: string;
  const st = (...args: readonly string[]) =>
    runTsbk(['st', ...args], { env: { WALG_FILE_PREFIX: root } });

  before(() => {
    root = scratchPath('repository');
    cpSync(CASE, root, { recursive: true });
    giveToServerUser(root);
  });

  it('rm of backups and WAL asks for --force, and warns of a backup that would stay broken', async () => {
    for (const name of ['basebackups_005', `basebackups_005/${NAME}`, SEGMENT, 'wal_005/']) {
      refused(await st('rm', name), 1, 'object-guarded', '--force');
    }
    const plan = await st('rm', `basebackups_005/${NAME}`, '--plan');
    assert.match(plan.stdout, /^would remove .*needs --force$/m);
    assert.match(plan.stderr, /\[sentinel-left\]/);
    assert.equal(lines(await st('ls', '-r')).length, 10);
    assert.equal((await st('rm', '--force', SEGMENT)).code, 0);
    assert.equal(lines(await st('ls', '-r')).length, 9);
  });

  it('get gives a segment as PostgreSQL wrote it', async () => {
    const folder = scratchPathForServerUser('segment');
    mkdirSync(folder);
    giveToServerUser(folder);
    const run = await st('get', 'wal_005/000000010000000000000003.lz4', join(folder, 'segment'));
    assert.equal(run.code, 0, run.stderr);
    assert.equal(statSync(join(folder, 'segment')).size, 16 * 1024 * 1024);
  });

  it('ls has the columns of WAL-G', { skip: walgLacks() }, async () => {
    const env = { WALG_FILE_PREFIX: root, HOME: root };
    const theirs = (await runWalg(['st', 'ls', '-r'], { env })).stdout;
    const columns = (text: string): string[] =>
      text
        .trimEnd()
        .split('\n')
        .map((row) => row.trim().split(/ +/).join(' '))
        .sort();
    assert.deepEqual(columns((await st('ls', '-r')).stdout), columns(theirs));
  });

  it('uploads shows what nobody finished, and removes what is old', async () => {
    const unfinished = (key: string, day: string): void =>
      writeFileSync(join(root, `${key}.tmp.${day}T000000Z-0123456789abcdef`), 'x');
    unfinished('wal_005/old', '20200101');
    unfinished('wal_005/new', new Date(Date.now()).toISOString().slice(0, 10).replaceAll('-', ''));
    giveToServerUser(root);
    assert.equal(lines(await st('uploads')).length, 2);
    assert.match((await st('uploads', '--remove', '--plan')).stdout, /^would remove wal_005\/old,/);
    assert.match((await st('uploads', '--remove')).stdout, /^removed wal_005\/old, .*\n$/);
    const left = JSON.parse((await st('uploads', '--json')).stdout) as { key: string }[];
    assert.deepEqual(
      left.map(({ key }) => key),
      ['wal_005/new'],
    );
    await st('uploads', '--remove', '--older-than', '0');
    assert.match((await st('uploads')).stdout, /^there are none/);
  });

  it('claims leaves alone what may be running, and removes by age what nobody knows of', async () => {
    const left = join(root, 'basebackups_005/base_000000010000000000000009/tar_partitions');
    mkdirSync(left, { recursive: true });
    const part = join(left, 'part_001.tar.lz4');
    writeFileSync(part, 'x');
    utimesSync(part, 1_600_000_000, 1_600_000_000);
    const temp = (name: string, where = 'base_000000010000000000000009'): string =>
      join(root, `basebackups_005/${where}${name}.tmp.20250203T040506Z-0123456789abcdef`);
    const own = [temp('/tsbk.json.lz4'), temp('_backup_stop_sentinel.json')];
    const foreign = temp('_backup_stop_sentinel.json', 'base_000000010000000000000099');
    for (const path of [...own, foreign]) writeFileSync(path, '{');
    giveToServerUser(root);
    assert.match((await st('claims', '--remove')).stdout, /^base_.*9: without a claim.*cannot be/);
    assert.match((await st('claims', '--remove', '--older-than', '1d', '--plan')).stdout, /^would/);
    assert.match((await st('claims', '--remove', '--older-than', '1d')).stdout, /^removed base_/);
    assert.match((await st('claims')).stdout, /^there are no unfinished backups/);
    // What was being written of it is gone, its sentinel too, and nothing of another one.
    assert.deepEqual(
      [...own, foreign].map((path) => existsSync(path)),
      [false, false, true],
    );
    rmSync(foreign);
    assert.ok((await st('ls', 'basebackups_005')).stdout.includes(`${NAME}_backup_stop`));
  });
});
