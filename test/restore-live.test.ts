/** Backups of a live server with tablespaces: restored, mapped, damaged, interrupted. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import { inlineLanes } from '@tsbk/core/lanes/inline';
import { fetchBackup, type FetchRequest } from '@tsbk/core/restore/fetch';
import type { RestorePlan } from '@tsbk/core/restore/plan';
import { planRestore } from '@tsbk/core/restore/plan-restore';
import { fetchRequest } from './support/fetch-request.ts';
import {
  archiveEverything,
  connectionEnv,
  startArchivingServer,
} from './support/archiving-server.ts';
import {
  clientTool,
  giveToServerUser,
  scratchPath,
  startFrom,
  type Server,
} from './support/postgres.ts';
import { openTestStore, type TestStore } from './support/store.ts';
import { installedTsbk, runTsbk } from './support/tsbk.ts';
import { openDirectory } from './support/walg-cases.ts';

const { signal } = new AbortController();
const VERSION = 15;

describe('a backup of a live server', () => {
  let store: TestStore;
  let primary: Server;
  let root: string;
  let location: string;
  let oid: string;

  before(async () => {
    store = await openTestStore('directory');
    root = store.env['WALG_FILE_PREFIX'] ?? '';
    primary = await startArchivingServer(store, { version: VERSION });
    location = scratchPath('ts with "odd" = \\ name');
    mkdirSync(location);
    giveToServerUser(location);
    await primary.query(`create tablespace odd location '${location.replaceAll("'", "''")}'`);
    await primary.query(
      'create table t tablespace odd as select n, md5(n::text) as x from generate_series(1, 50000) n',
    );
    await primary.query('create table u as select n from generate_series(1, 1000) n');
    const [row] = await primary.query<{ oid: string }>(
      "select oid::text from pg_tablespace where spcname = 'odd'",
    );
    oid = row?.oid ?? '';
    const env = { ...store.env, ...connectionEnv(primary), WALG_TAR_SIZE_THRESHOLD: '4MiB' };
    const pushed = await runTsbk(['backup-push'], { env });
    assert.equal(pushed.code, 0, pushed.stderr);
    await primary.query('insert into u values (1001)');
    await archiveEverything(primary);
  });

  after(async () => {
    await primary?.close();
    await store?.[Symbol.asyncDispose]();
  });

  function request(more: Partial<FetchRequest> = {}): FetchRequest {
    const destination = scratchPath('restored');
    return fetchRequest({
      destination,
      restoreCommand: `${installedTsbk().archiveGet} "%f" "%p"`,
      tablespaceMapping: [{ from: oid, to: `${destination}-ts` }],
      ...more,
    });
  }

  const fetch = async (asked: FetchRequest, from = root) => {
    const repository = await openDirectory(from);
    const lanes = inlineLanes(repository, 3);
    return await fetchBackup({ repository, lanes }, asked, { signal, report: () => {} });
  };

  const planned = ({ links }: RestorePlan) => links.flatMap(({ tars }) => tars);

  function verify(directory: string): void {
    const tool = clientTool('pg_verifybackup');
    // Between the last file and the removal of the mark everything is there.
    const args = ['--no-parse-wal', '--quiet', '--ignore=tsbk_restore_incomplete', directory];
    if (tool !== undefined) execFileSync(tool, args);
  }

  test('passes pg_verifybackup with its tablespace mapped, and recovers', async () => {
    const asked = request({ fsync: true });
    const { plan } = await fetch(asked);
    assert.deepEqual(plan.problems, []);
    verify(asked.destination);
    const map = readFileSync(join(asked.destination, 'tablespace_map'), 'utf8');
    assert.equal(map, `${oid} ${asked.destination}-ts\n`);
    giveToServerUser(`${asked.destination}-ts`);
    await using server = await startFrom(asked.destination, {
      version: VERSION,
      waitFor: 'end-of-recovery',
      env: { ...installedTsbk().env, ...store.env },
    });
    const [row] = await server.query<{ t: number; u: number; at: string }>(
      `select (select count(*)::int from t where x = md5(n::text)) as t,
              (select count(*)::int from u) as u, pg_tablespace_location(${oid}) as at`,
    );
    assert.deepEqual(row, { t: 50_000, u: 1001, at: `${asked.destination}-ts` });
  });

  test('has the same bytes wherever its tablespace is', async () => {
    const [a, b] = [request(), request()];
    await fetch(a);
    await fetch(b);
    const listing = (directory: string): string =>
      execFileSync('sh', ['-c', 'find . -type f | LC_ALL=C sort | xargs -d "\\n" sha256sum'], {
        cwd: directory,
        encoding: 'utf8',
      });
    assert.equal(listing(`${a.destination}-ts`), listing(`${b.destination}-ts`));
    const differences = [a, b]
      .map(({ destination }) => listing(destination).split('\n'))
      .reduce((one, other) => one.filter((line) => !other.includes(line)));
    // Only what names the directories, and the manifest that has the map's checksum.
    assert.deepEqual(
      differences.map((line) => line.replace(/^\S+ {2}/, '')),
      ['./backup_manifest', './tablespace_map'],
    );
  });

  test('is measured before it is fetched', async () => {
    const repository = await openDirectory(root);
    const plan = await planRestore(repository, request(), { signal, report: () => {} });
    const stored = planned(plan).map(({ key }) => statSync(join(root, key)).size);
    assert.equal(
      plan.fetchBytes,
      stored.reduce((sum, bytes) => sum + bytes, 0),
    );
    assert.deepEqual(plan.warnings, []);
    const { plan: done, bytes } = await fetch(request());
    assert.equal(done.writeBytes, bytes);
  });

  test('is refused, and nothing stays, when one bit of any object has flipped', async () => {
    const copy = scratchPath('damaged');
    cpSync(root, copy, { recursive: true });
    const { plan } = await fetch(request());
    const [part] = planned(plan);
    const last = planned(plan).filter((tar) => tar.last);
    for (const { key } of [part, ...last, plan.manifest].filter((o) => o !== undefined)) {
      const path = join(copy, key);
      const bytes = readFileSync(path);
      for (const at of [Math.floor(bytes.length / 2), bytes.length - 1]) {
        const flipped = Buffer.from(bytes);
        flipped[at] = (flipped[at] ?? 0) ^ 0x10;
        writeFileSync(path, flipped);
        const asked = request();
        // Whoever reads the content may stumble before the hash is complete.
        await assert.rejects(
          fetch(asked, copy),
          (error) =>
            isTsbkError(error) && /^(?:object-corrupt|(?:record|tar)-invalid)$/.test(error.code),
          `${key} at ${at}`,
        );
        assert.equal(existsSync(asked.destination), false);
        assert.equal(existsSync(`${asked.destination}-ts`), false);
      }
      writeFileSync(path, bytes.subarray(0, -1));
      await assert.rejects(fetch(request(), copy), (error) => isTsbkError(error, 'object-corrupt'));
      rmSync(path);
      await assert.rejects(fetch(request(), copy), (error) =>
        isTsbkError(error, 'backup-incomplete'),
      );
      copyFileSync(join(root, key), path);
    }
    await fetch(request(), copy);
  });

  test('takes nothing from objects that its record does not know', async () => {
    const copy = scratchPath('foreign');
    cpSync(root, copy, { recursive: true });
    const { plan } = await fetch(request());
    const [tar] = planned(plan);
    assert.ok(tar !== undefined);
    copyFileSync(join(copy, tar.key), join(copy, tar.key.replace(tar.name, `part_999.tar.lz4`)));
    writeFileSync(join(copy, tar.key.replace(tar.name, 'part_998.tar.lz4')), 'not even lz4');
    await fetch(request(), copy);
  });

  test('killed at any moment leaves nothing that starts', async () => {
    let complete = 0;
    for (let delayMs = 150; complete === 0 && delayMs < 20_000; delayMs = delayMs * 1.3 + 20) {
      const destination = scratchPath('killed');
      const args = ['backup-fetch', destination, 'LATEST', '--tablespace-mapping'];
      const child = spawn(installedTsbk().cli, [...args, `${oid}=${destination}-ts`], {
        stdio: 'ignore',
        env: { ...installedTsbk().env, ...store.env },
      });
      const exited = once(child, 'exit');
      await Promise.race([exited, sleep(delayMs)]);
      child.kill('SIGKILL');
      await exited;
      if (!existsSync(destination) || readdirSync(destination).length === 0) continue;
      const control = existsSync(join(destination, 'global/pg_control'));
      const mark = existsSync(join(destination, 'tsbk_restore_incomplete'));
      assert.ok(control || mark);
      if (control) verify(destination);
      if (!control) {
        const again = request({ destination });
        await assert.rejects(fetch(again), /holds a restore that was interrupted/);
      }
      if (control && !mark) complete += 1;
    }
    assert.equal(complete, 1);
  });
});
