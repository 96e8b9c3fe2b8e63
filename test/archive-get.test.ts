/**
 * The contract of `tsbk-archive-get`, by the built command in a process of its own: when it answers
 * 0, when "not there", and that everything else ends no recovery. What it hands
 * over: archive-get-content.test.ts. With servers: recovery-answers.test.ts.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { damagedInstallations } from './support/damaged-installation.ts';
import { eventually } from './support/eventually.ts';
import { openGate } from './support/gate.ts';
import {
  askFor,
  askingCluster,
  cannotKnow,
  stopsRecovery,
  type AskingCluster,
} from './support/get-answers.ts';
import { modelEnv, openModelStore, type ModelStore } from './support/model-store.ts';
import { giveToServerUser, scratchPath, serverUser } from './support/postgres.ts';
import { signalGroup, untilGone } from './support/process-tree.ts';
import { sameBytes } from './support/same-bytes.ts';
import { installedTsbk, runCommand, runTsbk, type TsbkRun } from './support/tsbk.ts';
import { getWal, pushWal, serverFolder } from './support/wal-commands.ts';
import {
  archiveInAllFlavours,
  SODIUM_KEY,
  WAL_FLAVOURS,
  type FlavouredArchive,
  type WalFlavour,
} from './support/wal-flavours.ts';
import {
  backupHistoryContent,
  controlContent,
  historyContent,
  segmentContent,
  segmentName,
  SYSTEM_ID,
  writeWalFile,
} from './support/wal-file.ts';

type Env = Readonly<Record<string, string>>;

const SEGMENT = segmentName(1);
const NEXT = segmentName(2);
const OTHER_KEY = { ...SODIUM_KEY, WALG_LIBSODIUM_KEY: `${'00'.repeat(31)}2b` };
const NO_PATIENCE = { TSBK_GET_PATIENCE: '0' };

let repository: (flavour: WalFlavour) => FlavouredArchive;

before(async () => {
  repository = await archiveInAllFlavours(SEGMENT);
});

const get = (at: AskingCluster, env: Env, name = SEGMENT): Promise<TsbkRun> =>
  askFor(name, at, env);

async function archived(store: ModelStore): Promise<void> {
  const path = writeWalFile(serverFolder('wal'), SEGMENT, segmentContent(SEGMENT));
  assert.equal((await pushWal(path, store.env)).code, 0);
}

describe('tsbk-archive-get', () => {
  for (const flavour of WAL_FLAVOURS) {
    it(`answers 0 with the whole file in place, archived as ${flavour}`, async () => {
      const at = askingCluster();
      const destination = join(at.directory, at.destination);
      // What an earlier server left there is of no use to this one.
      writeFileSync(destination, 'old');
      const run = await get(at, repository(flavour).env);
      assert.deepEqual([run.code, run.stderr, run.stdout], [0, '', '']);
      sameBytes(readFileSync(destination), segmentContent(SEGMENT));
      assert.equal(statSync(destination).mode & 0o777, 0o600);
      assert.deepEqual(at.written(), ['RECOVERYXLOG']);
    });
  }

  it('answers 0 to whoever is set to write another format than the file has', async () => {
    const { root } = repository('lz4');
    const env = { WALG_FILE_PREFIX: root, WALG_COMPRESSION_METHOD: 'brotli' };
    assert.equal((await get(askingCluster(), env)).code, 0);
  });

  it('answers 0 for the name with a dot that WAL-G 3.0.8 wrote', async () => {
    const root = serverFolder('repository');
    mkdirSync(join(root, 'wal_005'));
    writeWalFile(join(root, 'wal_005'), `${SEGMENT}.`, segmentContent(SEGMENT));
    giveToServerUser(root);
    assert.equal((await get(askingCluster(), { WALG_FILE_PREFIX: root })).code, 0);
  });

  it('answers 0 for each kind of file', async () => {
    const root = serverFolder('repository');
    const files = {
      [`${SEGMENT}.partial`]: segmentContent(SEGMENT),
      '00000002.history': Buffer.from(`# by hand\n\n${historyContent()}`),
      [`${SEGMENT}.00000028.backup`]: Buffer.from(backupHistoryContent()),
    };
    for (const [name, content] of Object.entries(files)) {
      const path = writeWalFile(serverFolder('wal'), name, content);
      assert.equal((await pushWal(path, { WALG_FILE_PREFIX: root })).code, 0);
      const at = askingCluster();
      const run = await get(at, { WALG_FILE_PREFIX: root }, name);
      assert.equal(run.code, 0, run.stderr);
      sameBytes(readFileSync(join(at.directory, at.destination)), content);
    }
  });

  it('answers 1 when the store itself denies the name, on a standby too', async () => {
    await using store = await openModelStore();
    await archived(store);
    const directory = repository('lz4').env;
    for (const env of [directory, store.env]) {
      for (const kind of ['recovery', 'standby'] as const) {
        const at = askingCluster(kind);
        const run = await get(at, env, NEXT);
        assert.deepEqual([run.code, run.stderr], [1, '']);
        assert.deepEqual(at.written(), []);
      }
    }
    for (const end of ['.partial', '.00000028.backup']) {
      assert.equal((await get(askingCluster(), directory, `${SEGMENT}${end}`)).code, 1);
    }
  });

  it('answers 1 under the name archive-get, 74 under the name wal-fetch', async () => {
    for (const name of [NEXT, '00000002.history']) {
      const at = askingCluster();
      const options = { env: repository('lz4').env, cwd: at.directory };
      assert.equal((await runTsbk(['archive-get', name, at.destination], options)).code, 1);
      assert.equal((await runTsbk(['wal-fetch', name, at.destination], options)).code, 74);
      assert.equal((await runTsbk(['wal-fetch', SEGMENT, at.destination], options)).code, 0);
      const outage = { ...options, env: { WALG_FILE_PREFIX: '/no/such/directory' } };
      assert.equal((await runTsbk(['wal-fetch', name, at.destination], outage)).code, 200);
    }
  });

  it('answers 1 only after asking for every format', async () => {
    await using store = await openModelStore();
    await archived(store);
    const from = store.model.requests.length;
    assert.equal((await get(askingCluster(), store.env, NEXT)).code, 1);
    const keys = store.model.requests.slice(from).map(({ key }) => key.replace(/^.*\//, ''));
    const asked = new Set(keys.filter((key) => key !== ''));
    const names = ['', '.', '.br', '.gz', '.lz4', '.lzma', '.zst'].map((end) => `${NEXT}${end}`);
    assert.deepEqual([...asked].sort(), [...names, 'tsbk_repository.json']);
  });
});

describe('tsbk-archive-get cannot know, and says so by 200 or on a standby by 75, when', () => {
  const onModel = async (
    arrange: (store: ModelStore) => Env | Promise<Env>,
    message: RegExp,
  ): Promise<void> => {
    await using store = await openModelStore();
    const env = { ...store.env, ...NO_PATIENCE, TSBK_REQUEST_TIMEOUT: '1s' };
    const more = await arrange(store);
    await cannotKnow(message, (at) => get(at, { ...env, ...more }));
  };

  const faults = [
    ['the service answers 500', { kind: 'status', status: 500, code: 'InternalError' }],
    ['the service asks to slow down', { kind: 'status', status: 503, code: 'SlowDown' }],
    ['the service refuses', { kind: 'status', status: 403, code: 'AccessDenied' }],
    ['a proxy knows no such page', { kind: 'foreign-page', status: 404 }],
    ['connections are reset', { kind: 'reset' }],
    ['the service does not answer', { kind: 'hang' }],
  ] as const;
  for (const [title, fault] of faults) {
    it(title, () =>
      onModel((store) => {
        store.breakDown(fault);
        return {};
      }, /\[store-/),
    );
  }

  it('the connection is refused', () =>
    onModel(async ({ model }) => {
      await model.close();
      return {};
    }, /\[store-unreachable\]/));

  it('there is no such bucket', () =>
    onModel(({ model }) => modelEnv(model, 's3://no-such-bucket/main'), /\[store-missing\]/));

  it('the service says "forbidden" for what does not exist', () =>
    onModel(({ model }) => {
      model.state.modes.missingIsDenied = true;
      return {};
    }, /\[store-denied\]/));

  it('the credentials are wrong', () =>
    onModel(() => ({ AWS_SECRET_ACCESS_KEY: 'wrong' }), /\[store-denied\]/));

  it('the object is there and may not be read', () =>
    onModel(async (store) => {
      const path = writeWalFile(serverFolder('wal'), SEGMENT, segmentContent(SEGMENT));
      assert.equal((await pushWal(path, store.env)).code, 0);
      store.model.state.modes.denied = new Set(['GetObject']);
      return {};
    }, /\[store-denied\]/));

  for (const kind of ['cut-answer', 'corrupt-answer', 'trickle'] as const) {
    it(`the answer comes as ${kind}`, () =>
      onModel(async (store) => {
        const path = writeWalFile(serverFolder('wal'), SEGMENT, segmentContent(SEGMENT));
        assert.equal((await pushWal(path, store.env)).code, 0);
        const fault = kind === 'cut-answer' ? { kind, announced: false } : { kind };
        store.model.addRule({ operation: 'GetObject', times: 1e9, fault });
        return {};
      }, /\[(?:object|store)-/));
  }

  it('there is no repository: an empty directory, an empty prefix, or one of another cluster', async () => {
    const empty = { WALG_FILE_PREFIX: serverFolder('empty') };
    await cannotKnow(/mounted.*prefix/, (at) => get(at, empty));
    mkdirSync(join(empty.WALG_FILE_PREFIX, 'wal_005'));
    await cannotKnow(/\[repository-empty\]/, (at) => get(at, empty));
    await onModel(() => ({}), /\[repository-empty\]/);
    await cannotKnow(/\[wrong-system-id\]/, (at) => {
      mkdirSync(join(at.directory, 'global'));
      writeWalFile(join(at.directory, 'global'), 'pg_control', controlContent(SYSTEM_ID + 1n));
      return get(at, repository('lz4').env, NEXT);
    });
  });

  it('the directory does not exist, is a file, or is closed', async () => {
    const file = writeWalFile(serverFolder('x'), 'file', '');
    const closed = serverFolder('closed');
    chmodSync(closed, 0);
    const paths = serverUser() === undefined && process.getuid?.() === 0 ? [] : [closed];
    for (const path of ['/no/such/directory', file, ...paths]) {
      await cannotKnow(/\[store-/, (at) => get(at, { WALG_FILE_PREFIX: path }));
    }
  });

  it('the key is wrong, missing, or too much', async () => {
    const sealed = repository('none under libsodium').env;
    await cannotKnow(/\[wrong-key\]/, (at) => get(at, { ...sealed, ...OTHER_KEY }));
    const { WALG_LIBSODIUM_KEY: _, ...keyless } = repository('lz4 under libsodium').env;
    await stopsRecovery(/\[object-corrupt\]/, (at) => get(at, keyless));
    await stopsRecovery(/\[wrong-key\]/, (at) =>
      get(at, { ...repository('lz4').env, ...SODIUM_KEY }),
    );
    const missing = { WALG_LIBSODIUM_KEY_PATH: '/no/such/key' };
    await stopsRecovery(/no\/such\/key/, (at) => get(at, { ...repository('lz4').env, ...missing }));
  });

  it('it is used or set wrongly', async () => {
    const { env } = repository('lz4');
    const run =
      (args: readonly string[], more: Env = {}) =>
      (at: AskingCluster) =>
        runCommand(installedTsbk().archiveGet, args, {
          cwd: at.directory,
          env: { ...env, ...more },
        });
    await cannotKnow(/\[usage\]/, run([]));
    await stopsRecovery(/\[usage\]/, run([SEGMENT]));
    await stopsRecovery(/\[usage\]/, run([SEGMENT, 'x', 'y']));
    await stopsRecovery(/\[usage\]/, run(['--no-such-option', SEGMENT, 'x']));
    await cannotKnow(/^$/, run(['--help']));
    await cannotKnow(/\[bad-wal-name\]/, run(['pg_wal/RECOVERYXLOG', SEGMENT]));
    await stopsRecovery(/\[bad-wal-name\]/, run([`${SEGMENT}.lz4`, 'x']));
    await stopsRecovery(/soon/, run([SEGMENT, 'x'], { TSBK_GET_PATIENCE: 'soon' }));
    await cannotKnow(/WALG_S3_PREFIX/, run([SEGMENT, 'x'], { WALG_S3_PREFIX: 's3://b/p' }));
  });

  it('the destination cannot be written', async () => {
    const { env } = repository('lz4');
    await cannotKnow(/\[restore-failed\]/, (at) =>
      getWal([SEGMENT, 'no/such/place'], env, { cwd: at.directory }),
    );
    if (serverUser() === undefined && process.getuid?.() === 0) return;
    await cannotKnow(/\[restore-failed\]/, (at) => {
      chmodSync(join(at.directory, 'pg_wal'), 0o500);
      return get(at, env);
    });
  });

  it('the disk is full', async (context) => {
    const { env } = repository('lz4');
    await cannotKnow(/\[disk-full\]/, (at) => {
      const limited = ['-c', 'ulimit -f 512; exec "$@"', 'sh', installedTsbk().archiveGet];
      const args = [...limited, SEGMENT, at.destination];
      return runCommand('/bin/sh', args, { env, cwd: at.directory });
    });
    const small = scratchPath('small');
    mkdirSync(small);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k,mode=777', 'tmpfs', small], {
        stdio: 'ignore',
      });
    } catch {
      context.diagnostic('a file system of 512 kB cannot be mounted here');
      return;
    }
    try {
      await cannotKnow(/\[disk-full\]/, (at) =>
        getWal([SEGMENT, join(small, 'RECOVERYXLOG')], env, { cwd: at.directory }),
      );
      assert.deepEqual(readdirSync(small), []);
    } finally {
      execFileSync('umount', [small]);
    }
  });

  it('the program is damaged, missing, or dies', async () => {
    const { env } = repository('lz4');
    const { archiveGet } = installedTsbk();
    for (const path of damagedInstallations(archiveGet)) {
      await stopsRecovery(/(?:)/, (at) =>
        runCommand(path, [SEGMENT, at.destination], { env, cwd: at.directory }),
      );
    }
    await cannotKnow(/TSBK_NODE/, (at) => get(at, { ...env, TSBK_NODE: '/no/such/node' }));
    await stopsRecovery(/(?:)/, (at) => {
      const limited = ['-c', 'ulimit -v 400000; exec "$@"', 'sh', archiveGet];
      return runCommand('/bin/sh', [...limited, SEGMENT, at.destination], {
        env,
        cwd: at.directory,
      });
    });
    for (const point of [
      'get:1:kill',
      'get-done:1:kill',
      'get:1:exit',
      'get:1:hang',
      'get:1:throw',
    ]) {
      const broken = { ...env, TSBK_FAILPOINT: point, TSBK_GET_PATIENCE: '1s' };
      await stopsRecovery(/(?:)/, (at) => get(at, broken));
    }
  });

  it('a segment is gone that was there when the directory was restored', async () => {
    const { env } = repository('lz4');
    const ranges = [{ first: SEGMENT, last: segmentName(4) }];
    const marked = (text: string) => async (at: AskingCluster) => {
      writeWalFile(join(at.directory, 'pg_wal'), 'tsbk_restore.json', text);
      assert.equal((await get(at, env, segmentName(5))).code, 1);
      return get(at, env, segmentName(4));
    };
    const mark = { version: 1, segment_bytes: 1024 * 1024, histories: [], ranges };
    await cannotKnow(/now it is gone \[wal-missing\]/, marked(JSON.stringify(mark)));
    await cannotKnow(/\[record-invalid\]/, (at) => {
      writeWalFile(join(at.directory, 'pg_wal'), 'tsbk_restore.json', '{"version": 1');
      return get(at, env, segmentName(4));
    });
  });

  for (const name of ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP'] as const) {
    it(`it is stopped by ${name}`, async () => {
      await using store = await openModelStore();
      store.breakDown({ kind: 'hang' });
      await cannotKnow(/\[interrupted\]/, async (at) => {
        const from = store.model.requests.length;
        let pid = 0;
        const getting = getWal([SEGMENT, at.destination], store.env, {
          cwd: at.directory,
          onStart: (started) => (pid = started),
        });
        await store.asked('GetObject', from);
        signalGroup(pid, name);
        return getting;
      });
    });
  }
});

describe('tsbk-archive-get that was killed', () => {
  it('leaves what the next one removes, and nothing else of that place', async () => {
    await using store = await openModelStore();
    await archived(store);
    store.model.addRule({ operation: 'GetObject', key: /wal_005/, fault: { kind: 'trickle' } });
    const at = askingCluster();
    const gone = await killedWhileWriting(at, store.env);
    assert.match(at.written().join(), new RegExp(`^RECOVERYXLOG.tsbk-${gone}-[0-9a-f]{8}$`));
    const kept = [
      `RECOVERYXLOG.tsbk-${process.pid}-0123abcd`,
      `RECOVERYXLOG.tsbk-${gone}-0123abcd.old`,
      `RECOVERYXLOG.tsbk-${gone}`,
      `${SEGMENT}.tsbk-0-0123abcd`,
    ];
    for (const name of [...kept, `RECOVERYHISTORY.tsbk-${gone}-89abcdef`]) {
      writeWalFile(join(at.directory, 'pg_wal'), name, 'part of a file');
    }
    assert.equal((await get(at, store.env, NEXT)).code, 1);
    assert.deepEqual(at.written().sort(), kept.toSorted());
    assert.equal((await get(at, store.env)).code, 0);
    assert.deepEqual(at.written().sort(), ['RECOVERYXLOG', ...kept].sort());
  });
});

/** The process, killed once it has begun to write. */
async function killedWhileWriting(at: AskingCluster, env: Env): Promise<number> {
  let pid = 0;
  const running = getWal([SEGMENT, at.destination], env, {
    cwd: at.directory,
    onStart: (started) => (pid = started),
  });
  const [name = ''] = await eventually('a temporary file', async () => {
    const names = at.written();
    return names.length === 0 ? undefined : names;
  });
  const owner = Number(/tsbk-(\d+)/.exec(name)?.[1]);
  signalGroup(pid, 'SIGKILL');
  await running;
  await untilGone(owner);
  return owner;
}

describe('tsbk-archive-get waits out an outage', () => {
  it('that ends within TSBK_GET_PATIENCE, and answers 0', async () => {
    await using store = await openModelStore();
    await archived(store);
    const fault = { kind: 'status', status: 500, code: 'InternalError' } as const;
    store.model.addRule({ times: 3, fault });
    const at = askingCluster();
    const run = await get(at, { ...store.env, TSBK_GET_PATIENCE: '60s' });
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stderr, /waiting for 0{7}1/);
    sameBytes(readFileSync(join(at.directory, at.destination)), segmentContent(SEGMENT));
  });

  it('that ends within TSBK_GET_PATIENCE, and answers 1 to what is not there', async () => {
    await using store = await openModelStore();
    await archived(store);
    await using gate = await openGate(store.model.endpoint);
    await gate.shut();
    let open: Promise<void> | undefined;
    const at = askingCluster();
    const run = await getWal(
      [NEXT, at.destination],
      { ...store.env, AWS_ENDPOINT: gate.endpoint, TSBK_GET_PATIENCE: '60s' },
      { cwd: at.directory, onStderr: () => void (open ??= gate.open()) },
    );
    await open;
    assert.equal(run.code, 1, run.stderr);
    assert.ok(open !== undefined);
  });

  it('not at all without patience, and with some until it is used up', async () => {
    await using store = await openModelStore();
    store.breakDown({ kind: 'status', status: 500, code: 'InternalError' });
    const asked = async (patience: string): Promise<number> => {
      const from = store.model.requests.length;
      const run = await get(askingCluster(), { ...store.env, TSBK_GET_PATIENCE: patience });
      assert.equal(run.code, 200, run.stderr);
      return store.model.requests.length - from;
    };
    assert.equal(await asked('0'), 1);
    // After 250 ms, 500 ms, 1 s, 2 s, and what is left: six attempts, if each takes no time.
    const attempts = await asked('4s');
    assert.ok(attempts >= 2 && attempts <= 6, `${attempts} requests`);
  });

  it('of a store that says nothing no longer than that', async () => {
    await using store = await openModelStore();
    store.breakDown({ kind: 'hang' });
    const env = { ...store.env, ...NO_PATIENCE, TSBK_REQUEST_TIMEOUT: '1h' };
    await stopsRecovery(/said nothing for 5\.0 s \[store-timeout\]/, (at) => get(at, env));
  });

  it('and of none that answers, however slowly', async () => {
    await using store = await openModelStore();
    await archived(store);
    store.model.addRule({ times: 1000, fault: { kind: 'delay', ms: 900 } });
    const env = { ...store.env, ...NO_PATIENCE };
    // The file, all its other names at once, the repository's mark: longer than the silence allowed.
    const run = await get(askingCluster(), env, NEXT);
    assert.equal(run.code, 1, run.stderr);
  });

  it('of a refusal never', async () => {
    await using store = await openModelStore();
    store.breakDown({ kind: 'status', status: 403, code: 'AccessDenied' });
    assert.equal(
      (await get(askingCluster(), { ...store.env, TSBK_GET_PATIENCE: '60s' })).code,
      200,
    );
    assert.equal(store.model.requests.length, 1);
  });
});
