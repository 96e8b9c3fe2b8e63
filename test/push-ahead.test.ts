/**
 * What `tsbk-archive-push` stores beside the file that it is asked for, what it remembers of that, and
 * when it answers from memory. With a server: push-ahead-server.test.ts.
 */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SETTINGS } from '@tsbk/core/settings/table';
import { ASKED_NAMES } from '@tsbk/core/engine/asked-as';
import { eventually } from './support/eventually.ts';
import { openModelStore } from './support/model-store.ts';
import { giveToServerUser } from './support/postgres.ts';
import { signalGroup } from './support/process-tree.ts';
import { readyDirectory, type ReadyDirectory } from './support/ready-directory.ts';
import { sameBytes } from './support/same-bytes.ts';
import { installedTsbk, runCommand, type TsbkRun } from './support/tsbk.ts';
import { filesBelow, getWal, serverFolder } from './support/wal-commands.ts';
import { historyContent, segmentContent, segmentName, writeWalFile } from './support/wal-file.ts';

type Env = Readonly<Record<string, string>>;

const FIRST = segmentName(1);
const SECOND = segmentName(2);
/** Older than this, a file is known by its attributes. */
const SETTLED_MS = 150;

/** `tsbk-archive-push pg_wal/NAME` in the data directory, as the archiver runs it. */
function push(at: ReadyDirectory, name: string, env: Env): Promise<TsbkRun> {
  const { archivePush } = installedTsbk();
  return runCommand(archivePush, [`pg_wal/${name}`], { cwd: at.path, env });
}

/** The same where no program can be started: only what is answered from memory succeeds. */
function answered(at: ReadyDirectory, name: string, env: Env): Promise<TsbkRun> {
  return push(at, name, { ...env, TSBK_NODE: '/nonexistent/node' });
}

async function archived(name: string, env: Env): Promise<Buffer> {
  const destination = join(serverFolder('fetched'), 'x');
  const run = await getWal([name, destination], env);
  assert.equal(run.code, 0, run.stderr);
  return readFileSync(destination);
}

describe('tsbk-archive-push, with more files that are ready,', { concurrency: 2 }, () => {
  it('stores them too, answers for them without a program, and leaves the marks alone', async () => {
    const at = readyDirectory(6);
    at.add('00000002.history', historyContent());
    at.add(`${FIRST}.partial`, segmentContent(FIRST, { seed: 'partial' }));
    const marks = at.marks();
    const root = serverFolder('repository');
    const env = { WALG_FILE_PREFIX: root };
    await sleep(SETTLED_MS);
    const run = await push(at, FIRST, env);
    assert.equal(run.code, 0);
    assert.equal(run.stderr, '');
    const names = marks.map((mark) => mark.replace('.ready', '')).sort();
    assert.deepEqual(at.remembered(), names);
    assert.deepEqual(
      filesBelow(join(root, 'wal_005')),
      names.map((name) => `${name}.lz4`),
    );
    for (const name of names) {
      const { code, stdout, stderr } = await answered(at, name, env);
      assert.deepEqual([code, stdout, stderr], [0, '', ''], name);
      sameBytes(await archived(name, env), readFileSync(join(at.wal, name)));
    }
    assert.deepEqual(at.marks(), marks);
  });

  it('stores as many as it may, history files and the oldest first', async () => {
    const at = readyDirectory(6);
    at.add('00000002.history', historyContent());
    const env = { WALG_FILE_PREFIX: serverFolder('repository'), TSBK_PUSH_AHEAD: '2' };
    assert.equal((await push(at, segmentName(3), env)).code, 0);
    assert.deepEqual(at.remembered(), [FIRST, segmentName(3), '00000002.history'].sort());
  });

  it('stores nothing further and remembers nothing where it is told so', async () => {
    const at = readyDirectory(3);
    const root = serverFolder('repository');
    const env = { WALG_FILE_PREFIX: root, TOTAL_BG_UPLOADED_LIMIT: '0' };
    assert.equal((await push(at, FIRST, env)).code, 0);
    assert.deepEqual(filesBelow(join(root, 'wal_005')), [`${FIRST}.lz4`]);
    assert.throws(() => at.remembered(), { code: 'ENOENT' });
  });

  it('does not fail for one that is damaged, gone, or archived with other content', async () => {
    const at = readyDirectory(4);
    const env = { WALG_FILE_PREFIX: serverFolder('repository') };
    const other = segmentContent(SECOND, { seed: 'other' });
    const elsewhere = writeWalFile(serverFolder('wal'), SECOND, other);
    assert.equal((await runCommand(installedTsbk().archivePush, [elsewhere], { env })).code, 0);
    at.add(segmentName(3), segmentContent(segmentName(3), { systemId: 42n }));
    rmSync(join(at.wal, segmentName(4)));
    at.add(segmentName(5));
    const run = await push(at, FIRST, env);
    assert.equal(run.code, 0);
    assert.match(run.stderr, /warning: could not push ahead pg_wal\/\w+ \(and [12] more\)/);
    assert.ok(!at.remembered().includes(SECOND));
    assert.equal((await push(at, SECOND, env)).code, 65);
    sameBytes(await archived(SECOND, env), other);
  });

  it('fails as the asked one does, whatever comes of the others', async () => {
    const at = readyDirectory(3);
    const env = { WALG_FILE_PREFIX: serverFolder('repository') };
    at.add(FIRST, segmentContent(FIRST).fill(0, 0, 100));
    const run = await push(at, FIRST, env);
    assert.equal(run.code, 1);
    assert.match(run.stderr, /\[wal-invalid\]/);
    assert.ok(!at.remembered().includes(FIRST));
  });

  it('warns once, and archives, where the state directory cannot be trusted', async () => {
    const at = readyDirectory(2);
    const env = { WALG_FILE_PREFIX: serverFolder('repository') };
    const folder = join(at.path, 'pg_stat_tmp/tsbk');
    mkdirSync(folder);
    giveToServerUser(folder);
    chmodSync(folder, 0o777);
    const run = await push(at, FIRST, env);
    assert.equal(run.code, 0);
    assert.match(run.stderr, /^.*warning: nothing is pushed ahead: .*written to by others\n$/);
  });
});

describe('What is on its way ahead', { concurrency: 2 }, () => {
  /** Everything but the first file is never answered. */
  async function hanging() {
    const store = await openModelStore();
    const at = readyDirectory(3);
    const fault = { kind: 'hang' } as const;
    store.model.addRule({ operation: 'PutObject', key: new RegExp(SECOND), times: 99, fault });
    return { store, at };
  }

  it('does not keep the answer beyond TSBK_PUSH_TIMEOUT, nor change it', async () => {
    const { store, at } = await hanging();
    await using _ = store;
    const run = await push(at, FIRST, { ...store.env, TSBK_PUSH_TIMEOUT: '10s' });
    assert.equal(run.code, 0, run.stderr);
    assert.ok(!at.remembered().includes(SECOND));
  });

  it('ends with a signal, and the asked file, which is durable, is answered for', async () => {
    const { store, at } = await hanging();
    await using _ = store;
    let pid = 0;
    const { archivePush } = installedTsbk();
    const running = runCommand(archivePush, [`pg_wal/${FIRST}`], {
      cwd: at.path,
      env: store.env,
      onStart: (started) => (pid = started),
    });
    await eventually('the asked file to be remembered', async () => {
      return store.walKeys().length >= 2 && at.remembered().includes(FIRST) ? true : undefined;
    });
    process.kill(pid, 'SIGTERM');
    assert.equal((await running).code, 0);
  });

  it('and killed, is archived by the next call, and nothing is remembered that is not durable', async () => {
    const { store, at } = await hanging();
    await using _ = store;
    let pid = 0;
    const { archivePush } = installedTsbk();
    const running = runCommand(archivePush, [`pg_wal/${FIRST}`], {
      cwd: at.path,
      env: store.env,
      onStart: (started) => (pid = started),
    });
    await eventually('the third to be remembered', async () =>
      store.walKeys().length >= 2 && at.remembered().includes(segmentName(3)) ? true : undefined,
    );
    signalGroup(pid, 'SIGKILL');
    await running;
    store.recover();
    assert.ok(!at.remembered().includes(SECOND));
    assert.equal((await answered(at, SECOND, store.env)).code, 1);
    assert.equal((await push(at, SECOND, store.env)).code, 0);
    for (const name of [FIRST, SECOND, segmentName(3)]) {
      sameBytes(await archived(name, store.env), segmentContent(name));
    }
  });
});

/** Milliseconds since the epoch; see core/archive/push-record.ts. */
const WRITTEN_LINE = 9;

function rewriteAge(memory: string, olderMs: number): void {
  const lines = readFileSync(memory, 'utf8').split('\n');
  const writtenMs = Number(lines[WRITTEN_LINE]);
  assert.ok(Math.abs(Date.now() - writtenMs) < 600_000, lines[WRITTEN_LINE]);
  writeFileSync(memory, lines.with(WRITTEN_LINE, String(writtenMs - olderMs)).join('\n'));
}

describe('The launcher', () => {
  const FILES = 20;
  let number = 1;
  let site: Promise<{ readonly at: ReadyDirectory; readonly env: Env }> | undefined;

  async function pushAll(more: Env = {}) {
    const at = readyDirectory(FILES);
    const env = { WALG_FILE_PREFIX: serverFolder('repository'), HOME: at.path, ...more };
    await sleep(SETTLED_MS);
    assert.equal((await push(at, FIRST, env)).code, 0);
    return { at, env };
  }

  /** The next file of one directory that the launcher answers for; `env` is how it was asked for. */
  async function pushed() {
    const { at, env } = await (site ??= pushAll());
    const name = segmentName((number += 1));
    assert.equal((await answered(at, name, env)).code, 0);
    return { at, env, name, path: join(at.wal, name), memory: join(at.pushed, name) };
  }
  type Pushed = Awaited<ReturnType<typeof pushed>>;

  const changes: Readonly<Record<string, (given: Pushed) => Env | void>> = {
    'other content of the same length and time': ({ path, name }) => {
      const { atime, mtime } = statSync(path);
      writeFileSync(path, segmentContent(name, { seed: 'other' }));
      utimesSync(path, atime, mtime);
    },
    'another file with the same attributes': ({ path }) => {
      const { atime, mtime } = statSync(path);
      copyFileSync(path, `${path}.new`);
      utimesSync(`${path}.new`, atime, mtime);
      renameSync(`${path}.new`, path);
    },
    'a file that grew': ({ path }) => appendFileSync(path, 'x'),
    'another repository': () => ({ WALG_FILE_PREFIX: '/elsewhere' }),
    'a name of ours before that of WAL-G': () => ({ TSBK_FILE_PREFIX: '/elsewhere' }),
    'another folder in it': () => ({ WALG_STORAGE_PREFIX: 'other' }),
    'the wish not to be told from memory': () => ({ TSBK_PUSH_AHEAD: '0' }),
    'a settings file that was not there': () => {
      const HOME = serverFolder('home');
      writeWalFile(HOME, '.walg.json', '{"WALG_FILE_PREFIX":"/elsewhere"}');
      utimesSync(join(HOME, '.walg.json'), 1, 1);
      return { HOME };
    },
    'the name of a settings file': () => ({ WALG_CONFIG_PATH: '/elsewhere.json' }),
    'a torn memory': ({ memory }) => truncateSync(memory, statSync(memory).size - 2),
    'an empty memory': ({ memory }) => truncateSync(memory),
    'the memory of another file': ({ at, memory }) => copyFileSync(join(at.pushed, FIRST), memory),
    'a memory by way of a link': ({ at, memory }) => {
      renameSync(memory, `${memory}.kept`);
      symlinkSync(`${memory}.kept`, memory);
      assert.ok(at.remembered().length > 0);
    },
    'what was remembered an hour ago': ({ memory }) => rewriteAge(memory, 3_600_000),
    'what will only be remembered tomorrow': ({ memory }) => rewriteAge(memory, -86_400_000),
    'a memory whose age is no number': ({ memory }) => {
      const lines = readFileSync(memory, 'utf8').split('\n');
      writeFileSync(memory, lines.with(WRITTEN_LINE, 'x$(exit 3)').join('\n'));
    },
    'no memory': ({ memory }) => rmSync(memory),
  };
  for (const [title, change] of Object.entries(changes)) {
    it(`does not answer from memory to ${title}`, async () => {
      const given = await pushed();
      const env = { ...given.env, ...change(given) };
      assert.equal((await answered(given.at, given.name, env)).code, 1);
    });
  }

  it('does not take a segment for its .partial, nor the other way round', async () => {
    const { at, env, name, path, memory } = await pushed();
    renameSync(path, `${path}.partial`);
    copyFileSync(memory, `${memory}.partial`);
    giveToServerUser(`${memory}.partial`);
    assert.equal((await answered(at, `${name}.partial`, env)).code, 1);
  });

  it('answers under a settings file for as long as it stays what it was', async () => {
    const folder = serverFolder('settings');
    const file = writeWalFile(folder, 'tsbk.json', '{"compression-method":"lz4"}');
    await sleep(2100);
    const { at, env } = await pushAll({ TSBK_CONFIG: file });
    assert.equal((await answered(at, SECOND, env)).code, 0);
    const { atime, mtime } = statSync(file);
    writeFileSync(file, '{"compression-method":"zst"}');
    utimesSync(file, atime, mtime);
    assert.equal((await answered(at, SECOND, env)).code, 1);
  });

  it('compares every variable that says where the repository is', () => {
    const text = readFileSync(installedTsbk().archivePush, 'utf8');
    const compared = [...text.matchAll(/\$\{(\w+)-\}/g)].map(([, name]) => name);
    const own = ['WALG_CONFIG_PATH', 'HOME'];
    assert.deepEqual(
      compared.filter((name) => !own.includes(name ?? '')),
      [...ASKED_NAMES],
    );
    const { filePrefix, s3Prefix, storagePrefix, s3Endpoint, s3Region, s3Profile } = SETTINGS;
    const { s3ConfigFile, pushAhead, stateDirectory, configFile } = SETTINGS;
    const where = [filePrefix, s3Prefix, storagePrefix, s3Endpoint, s3Region, s3Profile];
    for (const { env } of [...where, s3ConfigFile, pushAhead, stateDirectory, configFile]) {
      for (const name of env) assert.match(text, new RegExp(`\\$\\{${name}[-:]`), name);
    }
  });
});

describe('Without the launcher, the memory', { concurrency: 2 }, () => {
  it('answers for the same content in a file of its own time, though no store can be reached', async () => {
    const at = readyDirectory(2);
    const root = serverFolder('repository');
    const env = { WALG_FILE_PREFIX: root };
    assert.equal((await push(at, FIRST, env)).code, 0);
    renameSync(root, `${root}.gone`);
    utimesSync(join(at.wal, SECOND), 1, 1);
    assert.equal((await answered(at, SECOND, env)).code, 1);
    const run = await push(at, SECOND, env);
    assert.deepEqual([run.code, run.stderr], [0, '']);
    writeFileSync(join(at.wal, SECOND), segmentContent(SECOND, { seed: 'other' }));
    assert.match((await push(at, SECOND, env)).stderr, /\[store-missing\]/);
  });

  it('is believed for its own repository only, and not when it is damaged', async () => {
    const at = readyDirectory(2);
    const roots = [serverFolder('repository'), serverFolder('repository')] as const;
    assert.equal((await push(at, FIRST, { WALG_FILE_PREFIX: roots[0] })).code, 0);
    assert.equal((await push(at, SECOND, { WALG_FILE_PREFIX: roots[1] })).code, 0);
    assert.ok(filesBelow(roots[1]).includes(`wal_005/${SECOND}.lz4`));
    const memory = join(at.pushed, SECOND);
    writeFileSync(memory, readFileSync(memory, 'latin1').replace(/[0-9a-f]{64}/, '0'.repeat(64)));
    utimesSync(join(at.wal, SECOND), 1, 1);
    renameSync(roots[1], `${roots[1]}.gone`);
    const run = await push(at, SECOND, { WALG_FILE_PREFIX: roots[1] });
    assert.match(run.stderr, /\[store-missing\]/);
  });
});
