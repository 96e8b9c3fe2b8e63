/**
 * The contract of `tsbk-archive-push`, by the built command in a process of its own: which files it
 * takes, what it answers, what it leaves in the repository. With servers: archive-push-server.test.ts.
 */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { damagedInstallations } from './support/damaged-installation.ts';
import { eventually } from './support/eventually.ts';
import { modelEnv, openModelStore } from './support/model-store.ts';
import { childrenOf, signalGroup } from './support/process-tree.ts';
import { sameBytes } from './support/same-bytes.ts';
import { filesBelow, getWal, pushWal, serverFolder } from './support/wal-commands.ts';
import {
  backupHistoryContent,
  historyContent,
  largeSegment,
  segmentContent,
  segmentName,
  SYSTEM_ID,
  writeWalFile,
  type SegmentShape,
} from './support/wal-file.ts';
import { installedTsbk, runCommand, type TsbkRun } from './support/tsbk.ts';

type Env = Readonly<Record<string, string>>;

const SEGMENT = segmentName(1);

/** What a segment says of its server. */
const WRITER = `system identifier ${SYSTEM_ID}`;

/** One file of each kind, and another content that it could have. */
const KINDS = [
  {
    name: SEGMENT,
    content: segmentContent(SEGMENT),
    other: segmentContent(SEGMENT, { seed: 'b', magic: 0xd118 }),
    says: [`${WRITER}, PostgreSQL 17, timeline 1`, `${WRITER}, PostgreSQL 18, timeline 1`],
  },
  {
    name: `${segmentName(2)}.partial`,
    content: segmentContent(segmentName(2)),
    other: segmentContent(segmentName(2), { seed: 'b' }),
    says: [`${WRITER}, PostgreSQL 17, timeline 1`, `${WRITER}, PostgreSQL 17, timeline 1`],
  },
  {
    name: '00000002.history',
    content: historyContent(),
    other: '1\t0/6000000\tno recovery target specified\n',
    says: ['a branch of timeline 1 at 0/5000000', 'a branch of timeline 1 at 0/6000000'],
  },
  {
    name: `${SEGMENT}.00000028.backup`,
    content: backupHistoryContent(),
    other: backupHistoryContent('weekly'),
    says: ['unknown', 'unknown'],
  },
] as const;

const LZ4 = { WALG_COMPRESSION_METHOD: 'lz4' };

interface Place {
  /** The repository's directory. */
  readonly root: string;
  readonly env: Env;
  /** Where PostgreSQL's files are. */
  readonly wal: string;
}

function place(): Place {
  const root = serverFolder('repository');
  return { root, env: { WALG_FILE_PREFIX: root }, wal: serverFolder('wal') };
}

/** What another process gets that has only the repository. */
async function fetched(name: string, env: Env): Promise<Buffer> {
  const destination = join(serverFolder('fetched'), 'RECOVERYXLOG');
  const run = await getWal([name, destination], env);
  assert.equal(run.code, 0, run.stderr);
  return readFileSync(destination);
}

function answers(run: TsbkRun, code: number, message: RegExp): void {
  assert.equal(run.signal, null);
  assert.equal(run.code, code, run.stderr);
  assert.match(run.stderr, message);
}

describe('tsbk-archive-push', () => {
  for (const { name, content, other, says } of KINDS) {
    it(`stores ${name} so that another process fetches it, takes it again, and never replaces it`, async () => {
      const at = place();
      const path = writeWalFile(at.wal, name, content);
      const first = await pushWal(path, at.env);
      answers(first, 0, /^$/);
      sameBytes(await fetched(name, at.env), Buffer.from(content));

      const object = join(at.root, `wal_005/${name}.lz4`);
      const [bytes, before] = [readFileSync(object), statSync(object)];
      answers(await pushWal(path, at.env), 0, /was archived before, with the same content/);

      writeWalFile(at.wal, name, other);
      const origins = new RegExp(`Archived since [-0-9T:.Z]+: ${says[0]}; offered: ${says[1]}`);
      for (const codec of name === SEGMENT ? ['lz4', 'zstd'] : ['lz4']) {
        const env = { ...at.env, WALG_COMPRESSION_METHOD: codec };
        const refused = await pushWal(path, env);
        answers(refused, 65, /\[wal-conflict\]/);
        assert.ok(refused.stderr.includes(`${name}.lz4 already holds other content`));
        assert.match(refused.stderr, /\(archived [0-9a-f]{12}…, offered [0-9a-f]{12}…\)/);
        assert.match(refused.stderr, origins);
      }
      sameBytes(readFileSync(object), bytes);
      const after = statSync(object);
      assert.deepEqual([after.mtimeMs, after.ino], [before.mtimeMs, before.ino]);
      sameBytes(await fetched(name, at.env), Buffer.from(content));
    });
  }

  it('takes a file again that was archived by another codec, and stores nothing further', async () => {
    const at = place();
    const path = writeWalFile(at.wal, SEGMENT, segmentContent(SEGMENT));
    assert.equal((await pushWal(path, { ...at.env, ...LZ4 })).code, 0);
    const stored = filesBelow(at.root);
    for (const codec of ['zstd', 'brotli', 'none']) {
      const again = await pushWal(path, { ...at.env, WALG_COMPRESSION_METHOD: codec });
      answers(again, 0, /with the same content/);
    }
    assert.deepEqual(filesBelow(at.root), stored);
  });

  it('takes a copy with a new time of modification for the same file', async () => {
    const at = place();
    const path = writeWalFile(at.wal, SEGMENT, segmentContent(SEGMENT));
    assert.equal((await pushWal(path, at.env)).code, 0);
    utimesSync(path, 1, 1);
    assert.equal((await pushWal(path, at.env)).code, 0);
  });

  it('does not call it archived when the stored copy is damaged', async () => {
    const at = place();
    const path = writeWalFile(at.wal, SEGMENT, segmentContent(SEGMENT));
    assert.equal((await pushWal(path, at.env)).code, 0);
    truncateSync(join(at.root, `wal_005/${SEGMENT}.lz4`), 1000);
    answers(await pushWal(path, at.env), 1, /\[object-corrupt\]/);
  });

  it('does not call it archived when the digest beside the stored copy is of something else', async () => {
    const at = place();
    const env = { ...at.env, WALG_COMPRESSION_METHOD: 'none' };
    const path = writeWalFile(at.wal, SEGMENT, segmentContent(SEGMENT));
    assert.equal((await pushWal(path, env)).code, 0);
    const digest = join(at.root, `wal_005/${SEGMENT}.none.sha256`);
    const text = readFileSync(digest, 'latin1');
    writeWalFile(join(at.root, 'wal_005'), `${SEGMENT}.none.sha256`, `0${text.slice(1)}`);
    answers(await pushWal(path, env), 1, /\[object-corrupt\]/);
    writeWalFile(join(at.root, 'wal_005'), `${SEGMENT}.none.sha256`, text);
    answers(await pushWal(path, env), 0, /with the same content/);
  });

  it('replaces the digest that a segment left behind which is gone', async () => {
    const at = place();
    const env = { ...at.env, WALG_COMPRESSION_METHOD: 'brotli' };
    const path = writeWalFile(at.wal, SEGMENT, segmentContent(SEGMENT, { seed: 'old' }));
    assert.equal((await pushWal(path, env)).code, 0);
    rmSync(join(at.root, `wal_005/${SEGMENT}.br`));
    writeWalFile(at.wal, SEGMENT, segmentContent(SEGMENT));
    answers(await pushWal(path, env), 0, /^$/);
    sameBytes(await fetched(SEGMENT, env), segmentContent(SEGMENT));
  });
});

describe('tsbk-archive-push refuses, and stores nothing:', () => {
  const refused = async (
    name: string,
    content: Uint8Array | string,
    message: RegExp,
  ): Promise<void> => {
    const at = place();
    answers(await pushWal(writeWalFile(at.wal, name, content), at.env), 1, message);
    assert.deepEqual(filesBelow(at.root), []);
  };

  for (const name of [
    SEGMENT.toLowerCase().replace('1', 'a'),
    SEGMENT.slice(1),
    `${SEGMENT}.ready`,
    `${SEGMENT}.lz4`,
    `${SEGMENT}.28.backup`,
    '00000000.history',
    '0000000200000000.history',
    `00000000${SEGMENT.slice(8)}`,
    `${SEGMENT}\n`,
    'RECOVERYXLOG',
  ]) {
    it(`the name ${JSON.stringify(name)}`, () =>
      refused(name, segmentContent(SEGMENT), /\[bad-wal-name\]/));
  }

  const shapes: readonly (readonly [string, Partial<SegmentShape>])[] = [
    ['a page magic of no version', { magic: 0xd0ff }],
    ['the page magic of PostgreSQL 12', { magic: 0xd101 }],
    ['a first page without the long header', { flags: 0 }],
    ['flags that do not exist', { flags: 0x12 }],
    ['the address of another segment', { pageAddress: 0x200000n }],
    ['a timeline above that of the name', { timeline: 2 }],
    ['timeline 0', { timeline: 0 }],
    ['a file shorter than its segment size', { fileBytes: 1024 * 1024 - 8192 }],
    ['a file longer than its segment size', { fileBytes: 1024 * 1024 + 8192 }],
    ['a file shorter than a page header', { fileBytes: 39 }],
    ['an empty file', { fileBytes: 0 }],
    ['a segment size that is no power of two', { segmentBytes: 1024 * 1024 + 8192 }],
    ['a block size that is no power of two', { blockBytes: 8000 }],
  ];
  for (const [title, shape] of shapes) {
    it(title, async () => {
      const whole = segmentContent(SEGMENT, {
        ...shape,
        fileBytes: shape.fileBytes ?? 1024 * 1024,
      });
      const content = whole.subarray(0, shape.fileBytes ?? whole.length);
      await refused(SEGMENT, content, /\[wal-invalid\]/);
    });
  }

  it('a .partial of the wrong length, an empty history and an empty backup history', async () => {
    const half = segmentContent(SEGMENT).subarray(0, 512 * 1024);
    await refused(`${SEGMENT}.partial`, half, /\[wal-invalid\]/);
    await refused('00000002.history', '', /\[wal-invalid\]/);
    await refused(`${SEGMENT}.00000028.backup`, '', /\[wal-invalid\]/);
  });

  it('a name that segments of this size do not have', async () => {
    // With segments of 1 MiB the last digits go to FFF, with 16 MiB to FF.
    const content = segmentContent(SEGMENT, { segmentBytes: 16 * 1024 * 1024 });
    await refused('000000010000000000000100', content, /\[wal-invalid\]/);
  });

  it('a file that does not exist, a directory, a file that may not be read', async () => {
    const at = place();
    const missing = join(at.wal, SEGMENT);
    answers(await pushWal(missing, at.env), 1, /\[wal-file-unreadable\]/);
    mkdirSync(missing);
    answers(await pushWal(missing, at.env), 1, /\[wal-file-unreadable\]/);
    assert.deepEqual(filesBelow(at.root), []);
  });

  it('a segment of another cluster than the first', async () => {
    const at = place();
    assert.equal(
      (await pushWal(writeWalFile(at.wal, SEGMENT, segmentContent(SEGMENT)), at.env)).code,
      0,
    );
    const stored = filesBelow(at.root);
    const name = segmentName(2);
    const foreign = segmentContent(name, { systemId: 42n });
    const run = await pushWal(writeWalFile(at.wal, name, foreign), at.env);
    answers(run, 1, /system identifier 7710781881545605755, this is 42 \[wrong-system-id\]/);
    assert.deepEqual(filesBelow(at.root), stored);
  });

  for (const change of ['grows', 'becomes shorter', 'is written to'] as const) {
    it(`a file that ${change} while it is read`, async () => {
      await using store = await openModelStore();
      const { model } = store;
      const path = writeWalFile(serverFolder('wal'), SEGMENT, segmentContent(SEGMENT));
      // Opened and measured by then, and not yet read.
      model.addRule({ operation: 'ListObjectsV2', fault: { kind: 'delay', ms: 1000 } });
      const pushing = pushWal(path, store.env);
      await store.asked('ListObjectsV2');
      if (change === 'grows') appendFileSync(path, 'x');
      else if (change === 'becomes shorter') truncateSync(path, 8192);
      else utimesSync(path, new Date(), new Date());
      answers(await pushing, 1, /(?:changed|became shorter) while it was read/);
      assert.deepEqual(store.walKeys(), []);
    });
  }
});

describe('tsbk-archive-push answers', { concurrency: 3 }, () => {
  it('2 to a command line or a setting that it does not understand', async () => {
    const at = place();
    const path = writeWalFile(at.wal, SEGMENT, segmentContent(SEGMENT));
    const push = (args: readonly string[], env: Env = at.env): Promise<TsbkRun> =>
      runCommand(installedTsbk().archivePush, args, { env });
    answers(await push([]), 2, /\[usage\]/);
    answers(await push([path, path]), 2, /\[usage\]/);
    answers(await push(['--no-such-option', path]), 2, /\[usage\]/);
    answers(await push([path], { ...at.env, WALG_COMPRESSION_METHOD: 'rot13' }), 2, /rot13/);
    answers(await push([path], {}), 2, /\[setting-missing\]/);
    const sealed = { ...at.env, WALG_GPG_KEY_ID: 'k' };
    answers(await push([path], sealed), 2, /\[unsupported-setting\]/);
    assert.deepEqual(filesBelow(at.root), []);
  });

  it('70 when it ends without having come to an end, be it killed from within or run empty', async () => {
    for (const failpoint of ['put:1:exit', 'put:1:hang']) {
      const at = place();
      const path = writeWalFile(at.wal, SEGMENT, segmentContent(SEGMENT));
      const run = await pushWal(path, { ...at.env, TSBK_FAILPOINT: failpoint });
      assert.equal(run.code, 70, `${failpoint}: ${run.stderr}`);
      assert.deepEqual(filesBelow(at.root), []);
    }
  });

  it('1 to 125 when the program is damaged, missing, or cut off where nobody notices', async () => {
    const at = place();
    const path = writeWalFile(at.wal, SEGMENT, segmentContent(SEGMENT));
    for (const launcher of damagedInstallations(installedTsbk().archivePush)) {
      const { code } = await runCommand(launcher, [path], { env: at.env });
      assert.ok(code !== null && code >= 1 && code <= 125, `${code}`);
    }
    const run = await pushWal(path, { ...at.env, TSBK_NODE: '/no/such/node' });
    answers(run, 1, /TSBK_NODE/);
    assert.deepEqual(filesBelow(at.root), []);
  });

  it('75 when it runs out of memory, which would be 134', async () => {
    const at = place();
    const path = writeWalFile(at.wal, SEGMENT, segmentContent(SEGMENT));
    const limited = ['-c', 'ulimit -v 400000; exec "$@"', 'sh', installedTsbk().archivePush, path];
    const run = await runCommand('/bin/sh', limited, { env: at.env });
    assert.equal(run.code, 75, run.stderr);
  });

  const outages = [
    ['a service that answers 500', { kind: 'status', status: 500, code: 'InternalError' }, 75],
    ['a service that asks to slow down', { kind: 'status', status: 503, code: 'SlowDown' }, 75],
    ['a service that never answers', { kind: 'hang' }, 75],
    ['a service that resets connections', { kind: 'reset' }, 75],
    [
      'a service that refuses the credentials',
      { kind: 'status', status: 403, code: 'AccessDenied' },
      1,
    ],
  ] as const;
  for (const [title, fault, code] of outages) {
    it(`${code} to ${title}`, async () => {
      await using store = await openModelStore();
      store.breakDown(fault);
      const path = writeWalFile(serverFolder('wal'), SEGMENT, segmentContent(SEGMENT));
      const limit = code === 75 ? { TSBK_PUSH_TIMEOUT: '2s' } : {};
      answers(await pushWal(path, { ...store.env, ...limit }), code, /\[store-/);
      assert.deepEqual(store.walKeys(), []);
      store.recover();
      assert.equal((await pushWal(path, store.env)).code, 0);
    });
  }

  it('75 to a refused connection, 1 to a bucket or directory that does not exist', async () => {
    const path = writeWalFile(serverFolder('wal'), SEGMENT, segmentContent(SEGMENT));
    const store = await openModelStore();
    const elsewhere = modelEnv(store.model, 's3://no-such-bucket/main');
    answers(await pushWal(path, elsewhere), 1, /\[store-missing\]/);
    await store.model.close();
    answers(await pushWal(path, { ...store.env, TSBK_PUSH_TIMEOUT: '1s' }), 75, /\[store-/);
    answers(await pushWal(path, { WALG_FILE_PREFIX: '/no/such/place' }), 1, /\[store-missing\]/);
  });

  it('0 when an outage ends in time', async () => {
    await using store = await openModelStore();
    const fault = { kind: 'status', status: 503, code: 'ServiceUnavailable' } as const;
    store.model.addRule({ times: 4, fault });
    const path = writeWalFile(serverFolder('wal'), SEGMENT, segmentContent(SEGMENT));
    answers(await pushWal(path, store.env), 0, /trying again/);
    sameBytes(await fetched(SEGMENT, store.env), segmentContent(SEGMENT));
  });

  it('0 when the answer to its own write was lost, and never when the write was', async () => {
    for (const [kind, code] of [
      ['lost-answer', 0],
      ['swallow', 75],
    ] as const) {
      await using store = await openModelStore();
      const times = kind === 'swallow' ? 1000 : 1;
      store.model.addRule({ operation: 'PutObject', key: /wal_005/, times, fault: { kind } });
      const path = writeWalFile(serverFolder('wal'), SEGMENT, segmentContent(SEGMENT));
      const limit = kind === 'swallow' ? { TSBK_PUSH_TIMEOUT: '2s' } : {};
      const run = await pushWal(path, { ...store.env, ...limit });
      assert.equal(run.code === 0, code === 0, run.stderr);
      assert.deepEqual(store.walKeys(), code === 0 ? [`main/wal_005/${SEGMENT}.lz4`] : []);
    }
  });
});

describe('tsbk-archive-push, stopped by a signal,', { concurrency: 2 }, () => {
  const signals = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP'] as const;

  for (const name of signals) {
    it(`of the kind ${name} answers 75 and leaves nothing`, async () => {
      await using store = await openModelStore();
      const large = largeSegment();
      const path = writeWalFile(serverFolder('wal'), large.name, large.content);
      const env = { ...store.env, WALG_COMPRESSION_METHOD: 'none', TSBK_S3_MAX_PART_SIZE: '5MiB' };
      for (const operation of ['HeadObject', 'UploadPart']) {
        const from = store.model.requests.length;
        store.model.addRule({ operation, fault: { kind: 'hang' } });
        let pid = 0;
        const pushing = pushWal(path, env, { onStart: (started) => (pid = started) });
        await store.asked(operation, from);
        signalGroup(pid, name);
        answers(await pushing, 75, /stopped by SIG[A-Z]+ \[interrupted\]/);
        store.recover();
      }
      assert.deepEqual(store.walKeys(), []);
      assert.equal(store.model.state.buckets.get('tsbk-model')?.uploads.size, 0);
      assert.equal((await pushWal(path, env)).code, 0);
    });
  }

  it('never answers more than 125, however early the signal comes', async () => {
    const at = place();
    const path = writeWalFile(at.wal, SEGMENT, segmentContent(SEGMENT));
    for (const [round, name] of [...signals, ...signals, ...signals].entries()) {
      let pid = 0;
      const pushing = pushWal(path, at.env, { onStart: (started) => (pid = started) });
      await sleep(10 + round * 10);
      signalGroup(pid, name);
      const { code, signal, stderr } = await pushing;
      const what = `${name} in round ${round}: ${code} ${signal} ${stderr}`;
      assert.ok(signal === null && (code === 75 || code === 0), what);
    }
    assert.equal((await pushWal(path, at.env)).code, 0);
    sameBytes(await fetched(SEGMENT, at.env), segmentContent(SEGMENT));
  });

  const isSleeping = (pid: number): boolean =>
    readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith('sleep');

  it('also ends a program that is not far enough yet to hear SIGQUIT', async () => {
    const deaf = writeWalFile(serverFolder('bin'), 'node', '#!/bin/sh\nexec sleep 60\n');
    chmodSync(deaf, 0o755);
    let pid = 0;
    const pushing = pushWal('x', { TSBK_NODE: deaf }, { onStart: (started) => (pid = started) });
    await eventually('the program', async () => childrenOf(pid).find(isSleeping));
    process.kill(pid, 'SIGQUIT');
    assert.equal((await pushing).code, 75);
  });
});

describe('tsbk-archive-push, killed', () => {
  // The first put of a new repository is its mark, the second is the segment.
  const small = ['put:1', 'put-done:1', 'put:2', 'put-done:2'].map((point) => ({
    point,
    codec: 'lz4',
    file: { name: SEGMENT, content: segmentContent(SEGMENT) },
    objects: [`${SEGMENT}.lz4`],
  }));
  const large = ['part:1', 'part-done:2', 'complete:1', 'complete-done:1', 'put:2'].map(
    (point) => ({
      point,
      codec: 'none',
      file: largeSegment(),
      objects: [SEGMENT, `${SEGMENT}.none.sha256`],
    }),
  );
  for (const { point, codec, file, objects } of [...small, ...large]) {
    it(`at ${point} of ${codec} leaves what the next push completes`, async () => {
      const at = place();
      const path = writeWalFile(at.wal, file.name, file.content);
      const env = { ...at.env, WALG_COMPRESSION_METHOD: codec, TSBK_S3_MAX_PART_SIZE: '5MiB' };
      const killed = await pushWal(path, { ...env, TSBK_FAILPOINT: `${point}:kill` });
      assert.equal(killed.code, 75, killed.stderr);
      assert.equal((await pushWal(path, env)).code, 0);
      sameBytes(await fetched(file.name, env), file.content);
      const stored = filesBelow(join(at.root, 'wal_005')).filter((name) => !name.includes('.tmp.'));
      assert.deepEqual(stored, objects);
    });
  }
});

describe('two pushes of one name at the same moment', () => {
  const race = async (
    env: Env,
    name: string,
    contents: readonly Buffer[],
  ): Promise<readonly (number | null)[]> => {
    const paths = contents.map((content) => writeWalFile(serverFolder('wal'), name, content));
    const runs = await Promise.all(paths.map((path) => pushWal(path, env)));
    return runs.map(({ code }) => code ?? -1).toSorted((a, b) => a - b);
  };

  const rounds = async (
    env: Env,
    count: number,
    look: (name: string, round: number) => Promise<Buffer>,
  ): Promise<void> => {
    for (let round = 1; round <= count; round += 1) {
      const name = segmentName(round);
      const [a, b] = [segmentContent(name), segmentContent(name, { seed: 'b' })];
      const isSame = round % 2 === 0;
      assert.deepEqual(await race(env, name, isSame ? [a, a] : [a, b]), isSame ? [0, 0] : [0, 65]);
      const kept = await look(name, round);
      assert.ok(kept.equals(a) || (!isSame && kept.equals(b)));
    }
  };

  const title = 'end as 0 and 0 with the same content, as 0 and 65 with different content, in';

  it(`${title} a directory`, async () => {
    const at = place();
    const env = { ...at.env, WALG_COMPRESSION_METHOD: 'none' };
    await rounds(env, 20, async (name) => readFileSync(join(at.root, 'wal_005', name)));
    sameBytes(await fetched(segmentName(2), env), segmentContent(segmentName(2)));
    const digest = (name: string): string => `${name}.none.sha256`;
    const names = Array.from({ length: 20 }, (_, n) => segmentName(n + 1));
    assert.deepEqual(
      filesBelow(join(at.root, 'wal_005')),
      names.flatMap((name) => [name, digest(name)]),
    );
  });

  it(`${title} S3`, async () => {
    await using store = await openModelStore();
    // Both have asked, and been told that it is not there, before one of them writes.
    const together = { key: /wal_005/, times: 2, fault: { kind: 'delay', ms: 500 } } as const;
    const addRule = (): void => store.model.addRule({ operation: 'PutObject', ...together });
    addRule();
    await rounds(store.env, 4, async (name) => {
      store.recover();
      addRule();
      return fetched(name, store.env);
    });
    assert.equal(store.walKeys().length, 4);
  });
});
