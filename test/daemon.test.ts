/**
 * `tsbk daemon` without a server: the three ways in, who is believed, what clients that misbehave can
 * do, and how it stops. With servers: daemon-server.test.ts.
 */
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  ask,
  fakeDataDir,
  isThere,
  refusedDaemon,
  say,
  startDaemon,
  walgMessage,
  walgVector,
  type Daemon,
} from './support/daemon.ts';
import { eventually } from './support/eventually.ts';
import { openModelStore } from './support/model-store.ts';
import { scratchPath } from './support/postgres.ts';
import { openTestStore } from './support/store.ts';
import { filesBelow, getWal, pushWal, serverFolder } from './support/wal-commands.ts';
import { segmentContent, segmentName, writeWalFile } from './support/wal-file.ts';

const [ONE, TWO, THREE, FOUR] = [1, 2, 3, 4].map((n) => segmentName(n)) as [
  string,
  string,
  string,
  string,
];
const SEGMENTS = [ONE, TWO, THREE, FOUR];

const push = (path: string): string => `/archive-push?path=${encodeURIComponent(path)}`;
const get = (name: string, path = 'pg_wal/RECOVERYXLOG'): string =>
  `/archive-get?name=${name}&path=${encodeURIComponent(path)}`;

/** How many files the daemon says that it has stored. */
async function pushed(daemon: Daemon): Promise<number> {
  const { text } = await ask(daemon.socket, 'GET', '/metrics');
  return Number(/^tsbk_wal_pushed_segments_total\{outcome="stored"\} (\d+)$/m.exec(text)?.[1]);
}

/** Archives something else under the name, past the daemon. */
async function placeOther(name: string, env: Readonly<Record<string, string>>): Promise<void> {
  const content = segmentContent(name, { seed: 'other' });
  const { code, stderr } = await pushWal(writeWalFile(serverFolder('wal'), name, content), env);
  assert.equal(code, 0, stderr);
}

/** Until a file of `pg_wal` is known by its attributes. */
async function oldEnough(dataDir: string, name: string): Promise<void> {
  await eventually('the files to be old enough', async () =>
    Date.now() - statSync(join(dataDir, 'pg_wal', name)).ctimeMs > 1500 ? true : undefined,
  );
}

describe('tsbk daemon', { concurrency: true }, () => {
  it('archives and fetches by each way in, and says each time what the command would say', async () => {
    await using store = await openTestStore('directory');
    const root = store.env['WALG_FILE_PREFIX'] ?? '';
    const dataDir = fakeDataDir(SEGMENTS);
    const wal = (name: string): Buffer => readFileSync(join(dataDir, 'pg_wal', name));
    await using daemon = await startDaemon({ dataDir, env: store.env });
    const { socket } = daemon;
    assert.equal(lstatSync(socket).mode & 0o777, 0o600);

    assert.deepEqual(await ask(socket, 'POST', push(`pg_wal/${ONE}`)), {
      status: 200,
      exit: '0',
      text: '',
    });
    // Touched, it might be another file now.
    utimesSync(join(dataDir, 'pg_wal', ONE), 1, 1);
    const again = await ask(socket, 'PUT', `/wal-push/${ONE}`);
    assert.deepEqual([again.status, again.exit], [200, '0']);
    assert.match(again.text, /was archived before, with the same content/);
    // %f, %p and the whole path.
    assert.equal(await say(socket, Buffer.concat([walgMessage('C'), walgMessage('F', TWO)])), 'OO');
    assert.equal(await say(socket, walgMessage('F', `pg_wal/${TWO}`)), 'O');
    assert.equal(await say(socket, walgMessage('F', join(dataDir, 'pg_wal', THREE))), 'O');
    const options = { cwd: dataDir };
    const command = await pushWal(`pg_wal/${FOUR}`, store.env, options);
    assert.deepEqual([command.code, command.stderr], [0, '']);
    assert.equal(await pushed(daemon), 4, 'the command asked the daemon');
    assert.deepEqual(
      filesBelow(join(root, 'wal_005')),
      SEGMENTS.map((name) => `${name}.lz4`),
    );

    assert.equal((await ask(socket, 'POST', get(ONE))).status, 200);
    assert.deepEqual(wal('RECOVERYXLOG'), wal(ONE));
    const vector = walgVector(TWO, 'pg_wal/RECOVERYXLOG');
    assert.equal(await say(socket, walgMessage('f', vector)), 'O');
    assert.deepEqual(wal('RECOVERYXLOG'), wal(TWO));
    const got = await getWal([THREE, 'pg_wal/RECOVERYXLOG'], store.env, options);
    assert.deepEqual([got.code, got.stderr], [0, '']);
    assert.deepEqual(wal('RECOVERYXLOG'), wal(THREE));

    const absent = segmentName(9);
    const none = await ask(socket, 'POST', get(absent));
    assert.deepEqual([none.status, none.exit], [404, '44']);
    const asked = walgVector(absent, 'pg_wal/RECOVERYXLOG');
    assert.equal(await say(socket, walgMessage('f', asked)), 'N');
    assert.equal((await getWal([absent, 'pg_wal/RECOVERYXLOG'], store.env, options)).code, 1);
    const { text } = await ask(socket, 'GET', '/metrics');
    assert.match(text, /^tsbk_wal_gets_total\{outcome="fetched"\} 3$/m);
    assert.match(text, /^tsbk_wal_gets_total\{outcome="absent"\} 3$/m);
  });

  it('gives a conflict as an answer that is final, by each way in', async () => {
    await using store = await openTestStore('directory');
    const dataDir = fakeDataDir(SEGMENTS);
    await using daemon = await startDaemon({ dataDir, env: store.env });
    await placeOther(ONE, store.env);
    const reply = await ask(daemon.socket, 'POST', push(`pg_wal/${ONE}`));
    assert.deepEqual([reply.status, reply.exit], [409, '65']);
    assert.match(reply.text, /already holds other content than 0{7}1.*\[wal-conflict\]/);
    assert.equal(await say(daemon.socket, walgMessage('F', ONE)), 'E');
    const command = await pushWal(`pg_wal/${ONE}`, store.env, { cwd: dataDir });
    assert.equal(command.code, 65);
    assert.match(command.stderr, /already holds other content than 0{7}1.*\[wal-conflict\]/);
    assert.match(command.stderr, /hint: /);
    const health = await ask(daemon.socket, 'GET', '/healthz');
    assert.equal(health.status, 503);
    assert.match(health.text, /the last archive-push failed: wal-conflict/);
    const { text } = await ask(daemon.socket, 'GET', '/metrics');
    assert.match(text, /^tsbk_wal_push_failures_total\{code="wal-conflict"\} 3$/m);
    assert.equal((await ask(daemon.socket, 'POST', push(TWO))).status, 200);
    assert.equal((await ask(daemon.socket, 'GET', '/healthz')).status, 200);
  });

  it('touches nothing outside pg_wal, and never says 404 of anything but WAL', async () => {
    await using store = await openTestStore('directory');
    const dataDir = fakeDataDir(SEGMENTS);
    await using daemon = await startDaemon({ dataDir, env: store.env });
    const { socket } = daemon;
    const outside = writeWalFile(serverFolder('outside'), ONE, segmentContent(ONE));
    for (const path of [outside, `../${ONE}`, `pg_wal/archive_status/../../global/${ONE}`, '']) {
      const reply = await ask(socket, 'POST', push(path));
      assert.deepEqual([reply.status, reply.exit], [422, '1'], path);
      if (path !== '') assert.equal(await say(socket, walgMessage('F', path)), 'E', path);
    }
    for (const path of [`${outside}-x`, 'global/pg_control', '../RECOVERYXLOG', 'pg_wal/..']) {
      assert.equal((await ask(socket, 'POST', get(ONE, path))).status, 422, path);
    }
    for (const target of ['/', '/nothing', '/archive-get', `/archive-get?name=${ONE}`, '/%zz?x']) {
      assert.equal((await ask(socket, 'POST', target)).status, 400, target);
    }
    assert.equal((await ask(socket, 'GET', push(ONE))).status, 405);
    // The repository is not there: that proves nothing of a file.
    rmSync(store.env['WALG_FILE_PREFIX'] ?? '', { recursive: true });
    const gone = await ask(socket, 'POST', get(ONE));
    assert.notEqual(gone.status, 404);
    assert.notEqual(gone.exit, '44');
  });

  it('is not asked for another archive, other keys or another server, nor believed where others can write', async () => {
    await using store = await openTestStore('directory');
    await using other = await openTestStore('directory');
    const dataDir = fakeDataDir(SEGMENTS);
    await using daemon = await startDaemon({ dataDir, env: store.env });
    const cases = [
      { env: other.env, root: other.env },
      { env: { ...store.env, TSBK_LIBSODIUM_KEY: 'k'.repeat(32) }, root: store.env },
    ];
    for (const [at, { env, root }] of cases.entries()) {
      const name = SEGMENTS[at] ?? '';
      const { code, stderr } = await pushWal(`pg_wal/${name}`, env, { cwd: dataDir });
      assert.equal(code, 0, stderr);
      assert.ok(filesBelow(root['WALG_FILE_PREFIX'] ?? '').includes(`wal_005/${name}.lz4`));
    }
    const second = fakeDataDir(SEGMENTS);
    const env = { ...store.env, TSBK_DAEMON_SOCKET: daemon.socket };
    assert.equal((await pushWal(`pg_wal/${THREE}`, env, { cwd: second })).code, 0);
    assert.equal(await pushed(daemon), 0, 'nobody asked this daemon');
    chmodSync(join(dataDir, 'pg_stat_tmp/tsbk'), 0o777);
    assert.equal((await pushWal(`pg_wal/${FOUR}`, store.env, { cwd: dataDir })).code, 0);
    assert.equal(await pushed(daemon), 0, 'it might be a stranger');
  });
});

describe('The socket of a daemon', { concurrency: true }, () => {
  it('may be elsewhere, and is found by its link in the state directory', async () => {
    await using store = await openTestStore('directory');
    const dataDir = fakeDataDir(SEGMENTS);
    const socket = join(serverFolder('run'), 'main.sock');
    const link = join(dataDir, 'pg_stat_tmp/tsbk/daemon.sock');
    await using daemon = await startDaemon({ dataDir, env: store.env, socket });
    assert.equal(readlinkSync(link), socket);
    assert.equal((await pushWal(`pg_wal/${ONE}`, store.env, { cwd: dataDir })).code, 0);
    assert.equal(await pushed(daemon), 1);
    assert.equal(await daemon.end('SIGTERM'), 0);
    assert.deepEqual([isThere(socket), isThere(link)], [false, false]);
  });

  it('is refused to a second daemon, and taken over from one that was killed', async () => {
    await using store = await openTestStore('directory');
    const dataDir = fakeDataDir(SEGMENTS);
    const options = { dataDir, env: store.env };
    await using first = await startDaemon(options);
    const second = await refusedDaemon(options);
    assert.equal(second.code, 1);
    assert.match(second.stderr, /another daemon answers on .*\[daemon-running\]/);
    const elsewhere = join(serverFolder('run'), 'x.sock');
    const third = await refusedDaemon({ ...options, socket: elsewhere });
    assert.match(third.stderr, /\[daemon-running\]/, 'the link would lead two ways');
    assert.equal(isThere(elsewhere), false);
    assert.equal((await ask(first.socket, 'POST', push(ONE))).status, 200);
    await first.end('SIGKILL');
    assert.equal(isThere(first.socket), true);
    await using next = await startDaemon(options);
    assert.equal((await ask(next.socket, 'POST', push(TWO))).status, 200);
  });

  it('is not made where others can write, where its path is too long, or over a file', async () => {
    await using store = await openTestStore('directory');
    const dataDir = fakeDataDir(SEGMENTS);
    const options = { dataDir, env: store.env };
    const open = serverFolder('open');
    chmodSync(open, 0o777);
    const long = join(serverFolder('long'), 'x'.repeat(120));
    const file = writeWalFile(serverFolder('file'), 'daemon.sock', 'mine');
    const wrong = { [join(open, 's')]: /can be written/, [long]: /107 bytes/, [file]: /no socket/ };
    for (const [socket, message] of Object.entries(wrong)) {
      const { code, stderr } = await refusedDaemon({ ...options, socket });
      assert.equal(code, 1);
      assert.match(stderr, message);
      assert.match(stderr, /\[daemon-socket\]/);
    }
    assert.equal(readFileSync(file, 'utf8'), 'mine');
    assert.equal(isThere(join(open, 's')), false);
    const nowhere = scratchPath('empty');
    mkdirSync(nowhere);
    const { code, stderr } = await refusedDaemon({ ...options, dataDir: nowhere });
    assert.equal(code, 2);
    assert.match(stderr, /is no data directory/);
  });
});

describe('A daemon that looks ahead', () => {
  it('pushes what is ready, answers for that very file from memory, and for no other content', async () => {
    await using store = await openModelStore();
    const dataDir = fakeDataDir(SEGMENTS);
    const wal = join(dataDir, 'pg_wal');
    for (const name of [THREE, TWO]) writeWalFile(join(wal, 'archive_status'), `${name}.ready`, '');
    // Whoever restores the time of the last write does not make it the same file.
    utimesSync(join(wal, TWO), 1000, 1000);
    await oldEnough(dataDir, TWO);
    await using daemon = await startDaemon({ dataDir, env: store.env });
    assert.equal((await ask(daemon.socket, 'POST', push(ONE))).status, 200);
    const keys = [ONE, TWO, THREE].map((name) => `main/wal_005/${name}.lz4`);
    await eventually('what is ready to be archived', async () =>
      (await pushed(daemon)) === 3 ? true : undefined,
    );
    assert.deepEqual(store.walKeys(), keys, 'and nothing that is not ready');
    assert.deepEqual(filesBelow(join(wal, 'archive_status')), [`${TWO}.ready`, `${THREE}.ready`]);
    const asked = store.model.requests.length;
    for (const name of [TWO, THREE]) {
      const { code, stderr } = await pushWal(`pg_wal/${name}`, store.env, { cwd: dataDir });
      assert.deepEqual([code, stderr], [0, '']);
    }
    assert.equal(store.model.requests.length, asked, 'the store was not asked');
    writeWalFile(wal, TWO, segmentContent(TWO, { seed: 'other' }));
    utimesSync(join(wal, TWO), 1000, 1000);
    const other = await ask(daemon.socket, 'POST', push(TWO));
    assert.deepEqual([other.status, other.exit], [409, '65']);
  });

  it('writes down for the command that asked what its launcher may answer without it', async () => {
    await using store = await openModelStore();
    const dataDir = fakeDataDir(SEGMENTS);
    const wal = join(dataDir, 'pg_wal');
    for (const name of [ONE, TWO]) writeWalFile(join(wal, 'archive_status'), `${name}.ready`, '');
    await oldEnough(dataDir, FOUR);
    await using daemon = await startDaemon({ dataDir, env: store.env });
    const memory = join(dataDir, 'pg_stat_tmp/tsbk/pushed');
    assert.equal((await ask(daemon.socket, 'POST', push(THREE))).status, 200);
    await eventually('what is ready to be archived', async () =>
      (await pushed(daemon)) === 3 ? true : undefined,
    );
    assert.equal(existsSync(memory), false, 'curl has no launcher');
    const { code, stderr } = await pushWal(`pg_wal/${FOUR}`, store.env, { cwd: dataDir });
    assert.deepEqual([code, stderr], [0, '']);
    assert.deepEqual(filesBelow(memory), [FOUR]);
    await daemon.end('SIGKILL');
    const alone = { ...store.env, TSBK_NODE: '/nonexistent/node' };
    const requests = store.model.requests.length;
    assert.equal((await pushWal(`pg_wal/${FOUR}`, alone, { cwd: dataDir })).code, 0);
    assert.equal((await pushWal(`pg_wal/${TWO}`, alone, { cwd: dataDir })).code, 1);
    assert.equal(store.model.requests.length, requests);
  });
});

describe('A daemon that is busy', { concurrency: true }, () => {
  it('does a file once for all who ask, and gives it up when the last of them is gone', async () => {
    await using store = await openModelStore();
    const dataDir = fakeDataDir(SEGMENTS);
    await oldEnough(dataDir, ONE);
    await using daemon = await startDaemon({ dataDir, env: store.env });
    const hang = { operation: 'PutObject', key: /wal_005/, fault: { kind: 'hang' } } as const;
    store.model.addRule(hang);
    const clients = [0, 1].map(() => connect(daemon.socket));
    for (const client of clients) client.write(walgMessage('F', ONE));
    await store.asked('PutObject', 0, /wal_005/);
    const underWay = async (): Promise<string | undefined> => {
      const { text } = await ask(daemon.socket, 'GET', '/metrics');
      return /^tsbk_daemon_requests_under_way\{command="archive-push"\} (\d)$/m.exec(text)?.[1];
    };
    assert.equal(await underWay(), '1');
    clients[0]?.destroy();
    const before = store.model.requests.length;
    assert.equal(await underWay(), '1');
    clients[1]?.destroy();
    await eventually('the end of the run', async () =>
      (await underWay()) === '0' ? true : undefined,
    );
    const puts = store.model.requests
      .slice(before)
      .filter(({ operation }) => operation === 'PutObject');
    assert.deepEqual(puts, []);
    store.model.clearRules();
    assert.equal((await ask(daemon.socket, 'POST', push(ONE))).status, 200);
    assert.deepEqual(store.walKeys(), [`main/wal_005/${ONE}.lz4`]);
  });

  it('answers nobody who asks for another file of the same name by what became of the first', async () => {
    await using store = await openModelStore();
    const dataDir = fakeDataDir(SEGMENTS);
    await oldEnough(dataDir, ONE);
    await using daemon = await startDaemon({ dataDir, env: store.env });
    const fault = { kind: 'delay', ms: 3000 } as const;
    store.model.addRule({ operation: 'PutObject', key: /wal_005/, fault });
    const first = ask(daemon.socket, 'POST', push(ONE));
    await store.asked('PutObject', 0, /wal_005/);
    // Another one is in the place of the one that is being stored, and that is still under way.
    const wal = join(dataDir, 'pg_wal');
    writeWalFile(wal, 'other', segmentContent(ONE, { seed: 'other' }));
    renameSync(join(wal, 'other'), join(wal, ONE));
    const both = await Promise.all([first, ask(daemon.socket, 'POST', push(ONE))]);
    assert.deepEqual(both.map(({ exit }) => exit ?? '').sort(), ['0', '65']);
  });

  it('finishes what is under way when it is told to stop, and takes nothing new', async () => {
    await using store = await openModelStore();
    const dataDir = fakeDataDir(SEGMENTS);
    await using daemon = await startDaemon({ dataDir, env: store.env });
    store.model.addRule({
      operation: 'PutObject',
      key: /wal_005/,
      fault: { kind: 'delay', ms: 1500 },
    });
    const running = pushWal(`pg_wal/${ONE}`, store.env, { cwd: dataDir });
    await store.asked('PutObject', 0, /wal_005/);
    const ended = daemon.end('SIGTERM');
    await daemon.logged(/stopping/);
    await assert.rejects(ask(daemon.socket, 'POST', push(TWO)));
    assert.equal((await running).code, 0);
    assert.equal(await ended, 0);
    assert.equal(isThere(daemon.socket), false);
    const puts = store.model.requests.filter(
      ({ operation, key }) => operation === 'PutObject' && key.includes(ONE),
    );
    assert.equal(puts.length, 1, 'nobody else stored it');
  });

  it('that is killed or stands still leaves its commands to work alone, and nothing is lost', async () => {
    await using store = await openModelStore();
    const dataDir = fakeDataDir(SEGMENTS);
    const doomed = await startDaemon({ dataDir, env: store.env });
    store.model.addRule({ operation: 'PutObject', key: /wal_005/, fault: { kind: 'hang' } });
    const first = pushWal(`pg_wal/${ONE}`, store.env, { cwd: dataDir });
    await store.asked('PutObject');
    store.model.clearRules();
    await doomed.end('SIGKILL');
    assert.equal((await first).code, 0);
    assert.deepEqual(store.walKeys(), [`main/wal_005/${ONE}.lz4`]);

    await using frozen = await startDaemon({ dataDir, env: store.env });
    process.kill(frozen.pid, 'SIGSTOP');
    const [second, got] = await Promise.all([
      pushWal(`pg_wal/${TWO}`, store.env, { cwd: dataDir }),
      getWal([ONE, 'pg_wal/RECOVERYXLOG'], store.env, { cwd: dataDir }),
    ]);
    assert.equal(second.code, 0, second.stderr);
    assert.equal(got.code, 0, got.stderr);
    const left = filesBelow(join(dataDir, 'pg_wal'));
    process.kill(frozen.pid, 'SIGCONT');
    await eventually('the daemon to answer again', async () => {
      const { status } = await ask(frozen.socket, 'GET', '/healthz');
      return status === 200 ? true : undefined;
    });
    assert.deepEqual(filesBelow(join(dataDir, 'pg_wal')), left, 'it did nothing too late');
  });

  it('lives through clients that say half, too much, nothing, or come in crowds', async () => {
    await using store = await openTestStore('directory');
    const dataDir = fakeDataDir(SEGMENTS);
    await using daemon = await startDaemon({ dataDir, env: store.env });
    const { socket } = daemon;
    assert.equal(await say(socket, walgMessage('f', walgVector(ONE))), 'E');
    assert.equal(await say(socket, Buffer.from([0x46, 0xff, 0xff])), 'E');
    assert.equal(await say(socket, Buffer.from([0x66, 0, 1])), 'E');
    assert.equal(await say(socket, walgMessage('F', Buffer.alloc(9000, 0x41))), 'E');
    assert.match(await say(socket, Buffer.from('\x16\x03\x01\x02\x00\x01')), /^HTTP\/1.1 400 /);
    const large = `GET /healthz HTTP/1.1\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`;
    assert.match(await say(socket, Buffer.from(large)), /^HTTP\/1.1 431 /);
    const body = `POST ${push(ONE)} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n`;
    assert.match(await say(socket, Buffer.from(body)), /^HTTP\/1.1 413 /);

    const idle: Socket[] = [];
    for (let n = 0; n < 200; n += 1) {
      const client = connect(socket).on('error', () => undefined);
      if (n % 2 === 0) client.write(n % 4 === 0 ? 'POST /archive-pu' : Buffer.from([0x46, 0]));
      idle.push(client);
    }
    // There is no room: whoever comes by the command does not need it.
    const command = await pushWal(`pg_wal/${ONE}`, store.env, { cwd: dataDir });
    assert.equal(command.code, 0, command.stderr);
    await eventually('those who say nothing to be put out', async () => {
      const { status } = await ask(socket, 'POST', push(TWO)).catch(() => ({ status: 0 }));
      return status === 200 ? true : undefined;
    });
    for (const client of idle) client.destroy();
    assert.equal((await ask(socket, 'GET', '/healthz')).status, 200);
  });
});
