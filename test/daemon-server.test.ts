/**
 * `tsbk daemon` between real servers and the repository: archiving by each way in, and recovery by
 * `curl`, whose exit codes mean nothing to PostgreSQL until a line of shell has translated them.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { archiveEverything } from './support/archiving-server.ts';
import { ask, startDaemon, type Daemon } from './support/daemon.ts';
import { giveToServerUser, startFrom, startPostgres, type Server } from './support/postgres.ts';
import { hotCopy } from './support/postgres/hot-copy.ts';
import { openTestStore } from './support/store.ts';
import { installedTsbk } from './support/tsbk.ts';
import { filesBelow, serverFolder } from './support/wal-commands.ts';
import { writeWalFile } from './support/wal-file.ts';

const PAGE = readFileSync(resolve(import.meta.dirname, '../docs/daemon.md'), 'utf8');

/** A line of the page's postgresql.conf, with the socket of this test: users copy it from there. */
function documented(setting: 'archive_command' | 'restore_command', socket: string): string {
  const line = new RegExp(`^${setting} = '(curl .*|answer=.*)'$`, 'm').exec(PAGE)?.[1];
  assert.ok(line !== undefined, `docs/daemon.md shows ${setting} with curl`);
  return line.replaceAll('/run/tsbk/main.sock', socket).replaceAll("''", "'");
}

/** What `walg-daemon-client SOCKET wal-push NAME` does. */
const WALG_CLIENT = `
const [socket, name] = process.argv.slice(2);
const body = Buffer.from(name);
const head = Buffer.from([0x46, 0, 3 + body.length]);
const connection = require('node:net').connect(socket, () => connection.write(Buffer.concat([head, body])));
connection.on('error', () => process.exit(1));
connection.once('data', (answer) => process.exit(String(answer) === 'O' ? 0 : 1));
`;

function walgCommand(socket: string): string {
  const named = process.env['WALG_DAEMON_CLIENT'];
  if (named !== undefined && named !== '') return `${named} ${socket} wal-push %f`;
  const script = writeWalFile(serverFolder('client'), 'client.cjs', WALG_CLIENT);
  return `node ${script} ${socket} %f`;
}

async function archiveBy(server: Server, command: string): Promise<string> {
  await server.query(`alter system set archive_command to '${command.replaceAll("'", "''")}'`);
  await server.query('select pg_reload_conf()');
  return await archiveEverything(server);
}

async function failures(server: Server): Promise<number> {
  const [row] = await server.query<{ failed: number }>(
    'select failed_count::int as failed from pg_stat_archiver',
  );
  return row?.failed ?? -1;
}

async function pushed({ socket }: Daemon): Promise<number> {
  const { text } = await ask(socket, 'GET', '/metrics');
  return Number(/^tsbk_wal_pushed_segments_total\{outcome="stored"\} (\d+)$/m.exec(text)?.[1]);
}

const curl = spawnSync('curl', ['--version']).status === 0;

describe('A server with a daemon', { skip: !curl && 'there is no curl' }, () => {
  it('archives by the command, by curl and by the client of WAL-G, and is restored by curl', async () => {
    await using store = await openTestStore('directory');
    const { archivePush, env } = installedTsbk();
    await using server = await startPostgres({
      version: 17,
      walSegmentMb: 1,
      archiveCommand: '/bin/false',
      env: { ...env, ...store.env },
    });
    const { dataDir } = server;
    const socket = join(serverFolder('run'), 'main.sock');
    await using daemon = await startDaemon({ dataDir, env: store.env, socket });
    const copy = await hotCopy(server, 'restored');
    await server.query('create table t (way text)');
    const ways = {
      command: `${archivePush} %p`,
      curl: documented('archive_command', socket),
      walg: walgCommand(socket),
    };
    for (const [way, command] of Object.entries(ways)) {
      await server.query('insert into t values ($1)', [way]);
      const before = await pushed(daemon);
      const name = await archiveBy(server, command);
      const root = store.env['WALG_FILE_PREFIX'] ?? '';
      assert.ok(filesBelow(join(root, 'wal_005')).includes(`${name}.lz4`), way);
      assert.ok((await pushed(daemon)) > before, `${way} went through the daemon`);
    }
    // By the command, because `curl` has nothing to fall back to.
    await archiveBy(server, ways.command);
    const failed = await failures(server);
    await daemon.end('SIGKILL');
    await server.query("insert into t values ('alone')");
    await archiveEverything(server);
    assert.equal(await failures(server), failed);
    await server.stop();
    await recover(copy, store.env);
  });

  /** Starts the copy with the page's `restore_command`: first without a daemon, then with one. */
  async function recover(copy: string, env: Readonly<Record<string, string>>): Promise<void> {
    const socket = join(serverFolder('run'), 'main.sock');
    writeFileSync(join(copy, 'recovery.signal'), '');
    const restore = documented('restore_command', socket).replaceAll("'", "''");
    appendFileSync(join(copy, 'postgresql.auto.conf'), `\nrestore_command = '${restore}'\n`);
    giveToServerUser(copy);
    const options = {
      version: 17,
      waitFor: 'end-of-recovery',
      env: installedTsbk().env,
      keep: true,
    } as const;
    await assert.rejects(
      startFrom(copy, options),
      /could not restore file|restore_command|exit code 200/,
      'without a daemon nothing is known, so recovery must not end',
    );
    assert.ok(existsSync(join(copy, 'recovery.signal')), 'it goes on from here');
    await using _daemon = await startDaemon({ dataDir: copy, env, socket });
    await using restored = await startFrom(copy, options);
    const rows = await restored.query<{ way: string }>('select way from t');
    assert.deepEqual(
      rows.map(({ way }) => way),
      ['command', 'curl', 'walg', 'alone'],
    );
    await restored.close();
    rmSync(copy, { recursive: true });
  }
});
