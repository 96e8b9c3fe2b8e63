/** Gaps in the archive of a live server: found, filled with proven copies only, and read to the last bit. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { codecByName } from '@tsbk/core/codec/codecs';
import { collect } from '@tsbk/core/stream/collect';
import { sourceOf } from '@tsbk/core/stream/source';
import {
  archiveEverything,
  connectionEnv,
  startArchivingServer,
} from './support/archiving-server.ts';
import {
  giveToServerUser,
  scratchPath,
  scratchPathForServerUser,
  startFrom,
  startPostgres,
  startStandby,
  type Server,
} from './support/postgres.ts';
import { openTestStore, type TestStore } from './support/store.ts';
import { installedTsbk, runTsbk, type TsbkRun } from './support/tsbk.ts';

const VERSION = 16;
const SEGMENTS = 6;
/** Nothing but the newest segment counts as being uploaded. */
const STRICT = { TSBK_UPLOAD_CONCURRENCY: '1' };
const lz4 = codecByName('lz4');

async function plain(stored: Uint8Array): Promise<Buffer> {
  const content = lz4.decompress(sourceOf(stored));
  return await collect(content, { maxBytes: 2 ** 30, what: 'a segment' });
}

async function compressed(content: Uint8Array): Promise<Buffer> {
  assert.ok(lz4.compress !== undefined);
  return await collect(lz4.compress(sourceOf(content)), { maxBytes: 2 ** 30, what: 'a segment' });
}

/** A copy of a file with one bit changed in the middle of its records. */
function flipped(content: Uint8Array): Buffer {
  const copy = Buffer.from(content);
  const at = 300_001;
  copy[at] = (copy[at] ?? 0) ^ 0x10;
  return copy;
}

/** Segments full of records, and the last one archived. */
async function fill(server: Server, segments: number): Promise<void> {
  for (let n = 0; n < segments; n += 1) {
    await server.query(
      "insert into rows select g, repeat('x', 90) || g from generate_series(1, 6000) g",
    );
    await server.query('select pg_switch_wal()');
  }
  await archiveEverything(server);
}

describe('a gap in the archive', () => {
  let store: TestStore;
  let server: Server;
  let folder = '';
  let env: Record<string, string> = {};

  before(async () => {
    store = await openTestStore('directory');
    server = await startArchivingServer(store, {
      version: VERSION,
      walSegmentMb: 1,
      settings: { wal_keep_size: '256MB' },
    });
    folder = join(store.env['WALG_FILE_PREFIX'] ?? '', 'wal_005');
    env = { ...store.env, ...connectionEnv(server), ...STRICT };
    await server.query('create table rows (n int, x text)');
    const pushed = await runTsbk(['backup-push'], { env });
    assert.equal(pushed.code, 0, pushed.stderr);
    await fill(server, SEGMENTS);
  });

  after(async () => {
    await server?.close();
    await store?.[Symbol.asyncDispose]();
  });

  function archived(): string[] {
    return readdirSync(folder)
      .filter((name) => /^[0-9A-F]{24}\.lz4$/.test(name))
      .sort();
  }

  /** Takes a segment out of the archive, that many before the last one. */
  function lose(back: number): { readonly name: string; readonly stored: Buffer } {
    const file = archived().at(-1 - back) ?? '';
    const stored = readFileSync(join(folder, file));
    rmSync(join(folder, file));
    return { name: file.slice(0, 24), stored };
  }

  function verify(args: readonly string[], more: Record<string, string> = {}): Promise<TsbkRun> {
    return runTsbk(['wal-verify', ...args], { env: { ...env, ...more } });
  }

  test('is a failure, is named, and is filled through the connection to the server', async () => {
    const whole = await verify([]);
    assert.equal(whole.code, 0, whole.stdout + whole.stderr);
    assert.match(whole.stdout, /integrity check status: OK/);
    assert.match(whole.stdout, /timeline check status: OK/);
    const { name, stored } = lose(4);
    const found = await verify([]);
    assert.equal(found.code, 1, found.stdout + found.stderr);
    assert.match(found.stdout, /integrity check status: FAILURE/);
    assert.match(found.stdout, new RegExp(`${name} \\| ${name} \\| +1 \\| +MISSING_LOST`));
    assert.match(found.stdout, new RegExp(`Behind that is a gap: ${name}\\.`));
    const planned = await verify(['--heal', '--plan']);
    assert.equal(planned.code, 1);
    assert.match(planned.stdout, new RegExp(`${name} would be stored from the server at`));
    assert.equal(existsSync(join(folder, `${name}.lz4`)), false);
    await server.query('create role healer login');
    const healer = { PGUSER: 'healer', PGDATABASE: 'postgres' };
    const denied = await verify(['--heal'], healer);
    assert.equal(denied.code, 1);
    assert.match(denied.stderr, /the role needs GRANT pg_monitor and GRANT EXECUTE/);
    await server.query(
      'grant pg_monitor to healer; grant execute on function pg_read_binary_file(text, bigint, bigint, boolean) to healer',
    );
    const healed = await verify(['--heal'], healer);
    assert.equal(healed.code, 0, healed.stdout + healed.stderr);
    assert.match(healed.stdout, new RegExp(`${name} stored from the server at`));
    const now = readFileSync(join(folder, `${name}.lz4`));
    assert.ok((await plain(now)).equals(await plain(stored)));
  });

  test('is not filled with a copy in which one bit is wrong', async () => {
    const lost = lose(3);
    const copy = scratchPath('pg_wal');
    mkdirSync(copy);
    const source = join(server.dataDir, 'pg_wal', lost.name);
    writeFileSync(join(copy, lost.name), flipped(readFileSync(source)));
    giveToServerUser(copy);
    const refused = await verify(['integrity', '--heal', '--from', copy, ...(await at())]);
    assert.equal(refused.code, 1, refused.stdout + refused.stderr);
    assert.match(refused.stdout, new RegExp(`${lost.name} REFUSED from .*checksum`));
    assert.equal(existsSync(join(folder, `${lost.name}.lz4`)), false);
    // The same file without the damage will do.
    writeFileSync(join(copy, lost.name), readFileSync(source));
    giveToServerUser(copy);
    const healed = await verify(['integrity', '--heal', '--from', copy, ...(await at())]);
    assert.equal(healed.code, 0, healed.stdout + healed.stderr);
  });

  test('is not filled with a segment that is recycled, half written or not finished', async () => {
    const lost = lose(2);
    const names = archived();
    const older = names.at(-5)?.slice(0, 24) ?? '';
    const good = readFileSync(join(server.dataDir, 'pg_wal', lost.name));
    const half = Buffer.from(good).fill(0, good.length / 2);
    const recycled = readFileSync(join(server.dataDir, 'pg_wal', older));
    for (const content of [half, recycled, good.subarray(0, good.length - 8192)]) {
      const copy = scratchPath('pg_wal');
      mkdirSync(copy);
      writeFileSync(join(copy, lost.name), content);
      giveToServerUser(copy);
      const refused = await verify(['integrity', '--heal', '--from', copy, ...(await at())]);
      assert.equal(refused.code, 1, refused.stdout + refused.stderr);
      assert.match(refused.stdout, new RegExp(`${lost.name} REFUSED`));
    }
    assert.equal(existsSync(join(folder, `${lost.name}.lz4`)), false);
    const healed = await verify(['--heal'], { PGDATA: server.dataDir });
    assert.equal(healed.code, 0, healed.stdout + healed.stderr);
    assert.match(healed.stdout, new RegExp(`${lost.name} stored from ${server.dataDir}/pg_wal`));
  });

  test('is told apart from damage, which reading the content finds to the bit', async () => {
    const good = await verify(['integrity', '--content']);
    assert.equal(good.code, 0, good.stdout + good.stderr);
    assert.match(good.stdout, /content check status: OK/);
    const victim = archived().at(-4) ?? '';
    const stored = readFileSync(join(folder, victim));
    // Compressed again, so that no checksum but those of the records can tell.
    writeFileSync(join(folder, victim), await compressed(flipped(await plain(stored))));
    giveToServerUser(join(folder, victim));
    const bad = await verify(['integrity', '--content', '--json']);
    assert.equal(bad.code, 1, bad.stderr);
    const result = JSON.parse(bad.stdout) as Record<
      string,
      { readonly status: string; readonly details: readonly { readonly segment: string }[] }
    >;
    assert.equal(result['integrity']?.status, 'OK');
    assert.equal(result['content']?.status, 'FAILURE');
    assert.deepEqual(
      result['content'].details.map(({ segment }) => segment),
      [victim.slice(0, 24)],
    );
    writeFileSync(join(folder, victim), stored);
    giveToServerUser(join(folder, victim));
  });

  /** Where the server is: nobody has to ask it then. */
  async function at(): Promise<string[]> {
    const [row] = await server.query<{ lsn: string }>('select pg_current_wal_lsn() as lsn');
    return ['--timeline', '1', '--lsn', row?.lsn ?? ''];
  }
});

describe('a failover', () => {
  test('leaves a gap that is found and filled on the new primary, and restores go across', async () => {
    await using store = await openTestStore('directory');
    const block = scratchPathForServerUser('blocked');
    mkdirSync(block);
    giveToServerUser(block);
    const { archivePush, env: path } = installedTsbk();
    const archiveCommand = `test ! -e ${block}/now && ${archivePush} %p`;
    // What is pushed ahead would be in the archive before its turn to be blocked.
    const env = { ...path, ...store.env, TSBK_PUSH_AHEAD: '0' };
    await using primary = await startPostgres({
      version: VERSION,
      walSegmentMb: 1,
      archiveCommand,
      env,
    });
    await primary.query('create table rows (n int, x text)');
    const pushed = await runTsbk(['backup-push'], { env: { ...env, ...connectionEnv(primary) } });
    assert.equal(pushed.code, 0, pushed.stderr);
    await using standby = await startStandby(primary, {
      env,
      settings: { archive_mode: 'on', archive_command: archiveCommand },
    });
    writeFileSync(join(block, 'now'), '');
    for (let n = 0; n < 3; n += 1) {
      await primary.query(
        "insert into rows select g, repeat('x', 90) || g from generate_series(1, 6000) g",
      );
      await primary.query('select pg_switch_wal()');
    }
    const [row] = await primary.query<{ lsn: string }>('select pg_current_wal_lsn() as lsn');
    await replayed(standby, row?.lsn ?? '');
    await primary.stop('immediate');
    const asked = { env: { ...env, ...connectionEnv(standby) } };
    // The standby has them, too, and streamed WAL is finished as far as it was received.
    const planned = await runTsbk(['wal-verify', 'integrity', '--heal', '--plan'], asked);
    assert.match(planned.stdout, /(?:0000000100000000\w{8} would be stored from .*\n){3}/);
    assert.doesNotMatch(planned.stdout, /REFUSED|NOT FOUND/);
    await standby.query('select pg_promote()');
    rmSync(join(block, 'now'));
    await standby.query("insert into rows values (0, 'after')");
    await archiveEverything(standby);

    // Few segments, and not one of them is excused as being uploaded.
    const found = await runTsbk(['wal-verify'], asked);
    assert.equal(found.code, 1, found.stdout + found.stderr);
    assert.match(found.stdout, /\| +1 \| \w{24} \| \w{24} \| +\d+ \| +MISSING_LOST/);
    const checked = await runTsbk(['check'], asked);
    assert.equal(checked.code, 1, checked.stdout);
    assert.match(checked.stdout, /FAILED .*of timeline 1.*failover/);
    assert.match(checked.stdout, /tsbk wal-verify --heal/);

    // Without it the new timeline would have no past, and nothing of it would be missed.
    rmSync(join(store.env['WALG_FILE_PREFIX'] ?? '', 'wal_005/00000002.history.lz4'));
    const lacking = await runTsbk(['wal-verify', 'integrity'], asked);
    assert.equal(lacking.code, 1, lacking.stdout);
    assert.match(lacking.stdout, /no history file of timeline 2 and no backup of it/);

    const healed = await runTsbk(['wal-verify', '--heal', '--content'], asked);
    assert.equal(healed.code, 0, healed.stdout + healed.stderr);
    const [count] = await standby.query<{ n: string }>('select count(*) as n from rows');
    const directory = scratchPathForServerUser('restored');
    const fetched = await runTsbk(['backup-fetch', directory, 'LATEST'], { env });
    assert.equal(fetched.code, 0, fetched.stderr);
    await using restored = await startFrom(directory, {
      version: VERSION,
      waitFor: 'end-of-recovery',
      env,
    });
    const [again] = await restored.query<{ n: string }>('select count(*) as n from rows');
    assert.equal(again?.n, count?.n);
  });
});

async function replayed(standby: Server, lsn: string): Promise<void> {
  for (let tries = 0; tries < 600; tries += 1) {
    const [row] = await standby.query<{ done: boolean }>(
      'select pg_last_wal_replay_lsn() >= $1::pg_lsn as done',
      [lsn],
    );
    if (row?.done === true) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the standby did not come to ${lsn}`);
}
