/** What operators see of `tsbk daemon`: new settings, metrics, and what systemd is told. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ask, fakeDataDir, startDaemon } from './support/daemon.ts';
import { eventually } from './support/eventually.ts';
import { giveToServerUser } from './support/postgres.ts';
import { openTestStore } from './support/store.ts';
import { filesBelow, serverFolder } from './support/wal-commands.ts';
import { segmentName, writeWalFile } from './support/wal-file.ts';

const [ONE, TWO, THREE] = [1, 2, 3].map((n) => segmentName(n)) as [string, string, string];
const push = (name: string): string => `/archive-push?path=pg_wal/${name}`;

describe('The settings of a daemon', () => {
  it('are read again at SIGHUP, for requests that come then; wrong ones change nothing', async () => {
    await using first = await openTestStore('directory');
    await using second = await openTestStore('directory');
    const folder = serverFolder('settings');
    const write = (text: string): string => writeWalFile(folder, 'tsbk.json', text);
    const archived = ({ env }: typeof first): string[] =>
      filesBelow(join(env['WALG_FILE_PREFIX'] ?? '', 'wal_005'));
    const dataDir = fakeDataDir([ONE, TWO, THREE]);
    const file = write(JSON.stringify(first.env));
    await using daemon = await startDaemon({ dataDir, env: { TSBK_CONFIG: file } });
    const reload = async (message: RegExp): Promise<void> => {
      const from = daemon.log().length;
      process.kill(daemon.pid, 'SIGHUP');
      await daemon.logged(message, from);
    };
    assert.equal((await ask(daemon.socket, 'POST', push(ONE))).status, 200);
    write(JSON.stringify(second.env));
    await reload(/took new settings/);
    assert.equal((await ask(daemon.socket, 'POST', push(TWO))).status, 200);
    assert.deepEqual([archived(first), archived(second)], [[`${ONE}.lz4`], [`${TWO}.lz4`]]);

    write(JSON.stringify({ ...first.env, WALG_COMPRESSION_METHOD: 'rot13' }));
    await reload(/new settings, the old ones stay: .*rot13/);
    assert.equal((await ask(daemon.socket, 'POST', push(THREE))).status, 200);
    assert.deepEqual(archived(second), [`${TWO}.lz4`, `${THREE}.lz4`]);
    const { text } = await ask(daemon.socket, 'GET', '/metrics');
    assert.match(text, /^tsbk_daemon_reload_failed 1$/m);
    assert.equal(await daemon.end('SIGTERM'), 0);
  });
});

/** Samples by name and labels. Fails on whatever the text format of Prometheus does not allow. */
function parseMetrics(text: string): ReadonlyMap<string, number> {
  const samples = new Map<string, number>();
  let family = '';
  let type = '';
  for (const line of text.trimEnd().split('\n')) {
    const declared = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line);
    if (declared?.[1] === 'HELP') family = declared[2] ?? '';
    if (declared?.[1] === 'TYPE') {
      assert.equal(declared[2], family);
      type = declared[3] ?? '';
      assert.match(type, /^(counter|gauge|histogram)$/);
    }
    if (declared !== null) continue;
    const sample = /^([a-z_]+)((?:\{[a-z]+="[^"\\\n]*"\})?) (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/.exec(
      line,
    );
    assert.ok(sample !== null, line);
    const [, name = '', labels = '', value] = sample;
    const suffix = name.slice(family.length);
    assert.ok(name.startsWith(family), line);
    assert.match(suffix, type === 'histogram' ? /^_(bucket|sum|count)$/ : /^$/, line);
    assert.ok(type !== 'counter' || name.endsWith('_total'), line);
    assert.ok(!samples.has(name + labels), `${line} stands there twice`);
    samples.set(name + labels, Number(value));
  }
  assert.ok(samples.size > 20, 'something was found');
  return samples;
}

describe('The metrics of a daemon', () => {
  it('are text as Prometheus reads it, and tell of the server, the receiver and the backups', async () => {
    await using store = await openTestStore('directory');
    const dataDir = fakeDataDir([ONE, TWO]);
    const backups = join(store.env['WALG_FILE_PREFIX'] ?? '', 'basebackups_005');
    mkdirSync(backups);
    giveToServerUser(backups);
    const finished = new Date(Date.now() - 7_200_000).toISOString();
    writeWalFile(
      backups,
      `base_${ONE}_backup_stop_sentinel.json`,
      JSON.stringify({
        LSN: 1,
        FinishTime: finished,
        CompressedSize: 1234,
        UncompressedSize: 5678,
      }),
    );
    const status = join(dataDir, 'pg_wal/archive_status');
    for (const name of [`${TWO}.ready`, `${segmentName(3)}.ready`, `${ONE}.done`, 'x.ready']) {
      writeWalFile(status, name, '');
    }
    const anHourAgo = Date.now() / 1000 - 3600;
    utimesSync(join(status, `${TWO}.ready`), anHourAgo, anHourAgo);
    await using daemon = await startDaemon({ dataDir, env: store.env });
    const scrape = async (): Promise<ReadonlyMap<string, number>> =>
      parseMetrics((await ask(daemon.socket, 'GET', '/metrics')).text);
    const before = await scrape();
    assert.equal(before.get('tsbk_wal_ready_files'), 2);
    assert.ok((before.get('tsbk_wal_oldest_ready_age_seconds') ?? 0) >= 3600);
    assert.equal(before.get('tsbk_wal_pushed_bytes_total'), 0);
    assert.equal(before.has('tsbk_wal_last_push_timestamp_seconds'), false);
    assert.equal(before.has('tsbk_receive_lag_bytes'), false);

    const missing = [segmentName(7)];
    const word = { updated: new Date().toISOString(), lagBytes: '4711', missing };
    writeFileSync(join(dataDir, 'pg_stat_tmp/tsbk/receive.json'), JSON.stringify(word));
    giveToServerUser(dataDir);
    await ask(daemon.socket, 'POST', push(ONE));
    await ask(daemon.socket, 'POST', push(segmentName(8)));
    const after = await eventually('the look at the backups', async () => {
      const now = await scrape();
      return now.has('tsbk_backup_last_stored_bytes') ? now : undefined;
    });
    const expected = {
      'tsbk_wal_pushed_segments_total{outcome="stored"}': 1,
      tsbk_wal_pushed_bytes_total: 1024 * 1024,
      'tsbk_wal_push_failures_total{code="wal-file-unreadable"}': 1,
      tsbk_wal_push_duration_seconds_count: 1,
      'tsbk_wal_push_duration_seconds_bucket{le="+Inf"}': 1,
      tsbk_receive_lag_bytes: 4711,
      tsbk_receive_missing_segments: 1,
      tsbk_backup_last_stored_bytes: 1234,
      tsbk_backup_last_plain_bytes: 5678,
    };
    for (const [name, value] of Object.entries(expected))
      assert.equal(after.get(name), value, name);
    assert.ok((after.get('tsbk_backup_last_age_seconds') ?? 0) >= 7200);
    const last = after.get('tsbk_wal_last_push_timestamp_seconds') ?? 0;
    assert.ok(last >= (after.get('tsbk_daemon_start_timestamp_seconds') ?? Infinity));
  });
});

/** Prints each datagram that comes, on a line of its own. */
const RECEIVER = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
print('bound', flush=True)
while True:
    print(' '.join(s.recv(4096).decode().split('\\n')), flush=True)
`;

const isThere = (program: string, flag: string): boolean => spawnSync(program, [flag]).status === 0;
const helpers = isThere('python3', '--version') && isThere('systemd-notify', '--version');

describe('systemd', { skip: !helpers && 'python3 or systemd-notify is not there' }, () => {
  it('is told when the daemon is ready, lives, reloads and stops', async () => {
    await using store = await openTestStore('directory');
    const dataDir = fakeDataDir([ONE]);
    const socket = join(serverFolder('notify'), 's');
    const receiver = spawn('python3', ['-c', RECEIVER, socket], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      let told = '';
      receiver.stdout.setEncoding('utf8').on('data', (text: string) => (told += text));
      const heard = (pattern: RegExp): Promise<true> =>
        eventually(`${pattern} at the socket`, async () => (pattern.test(told) ? true : undefined));
      await heard(/^bound$/m);
      const env = { ...store.env, NOTIFY_SOCKET: socket, WATCHDOG_USEC: '400000' };
      await using daemon = await startDaemon({ dataDir, env });
      await heard(/^READY=1 STATUS=serving /m);
      await heard(/^WATCHDOG=1$[^]*^WATCHDOG=1$/m);
      process.kill(daemon.pid, 'SIGHUP');
      await heard(/^RELOADING=1 MONOTONIC_USEC=\d{6,}$[^]*^READY=1$/m);
      assert.equal(await daemon.end('SIGTERM'), 0);
      await heard(/^STOPPING=1$/m);
    } finally {
      receiver.kill('SIGKILL');
    }
  });
});
