/** Backups that a standby gives, and what its start and end depend on. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { archiveEverything } from './support/archiving-server.ts';
import { openBackupSite, siteOf, type BackupSite } from './support/backup-site.ts';
import { eventually } from './support/eventually.ts';
import { contentOfTree } from './support/file-tree.ts';
import { scratchPathForServerUser, startStandby, type Server } from './support/postgres.ts';

async function valueOf(server: Server, expression: string): Promise<string> {
  const [row] = await server.query<{ value: string }>(`select (${expression})::text as value`);
  return row?.value ?? '';
}

for (const version of [14, 17] as const) {
  describe(`a standby of ${version}`, () => {
    let primary: BackupSite;
    let standby: BackupSite;

    before(async () => {
      primary = await openBackupSite({ version });
      await primary.server.query('create table t as select generate_series(1, 1000) as n');
      const server = await startStandby(primary.server);
      standby = siteOf(server, { WALG_FILE_PREFIX: primary.root });
      await moveRestartpoint();
    });
    after(async () => {
      await standby.server.close();
      await primary.server.close();
    });

    /** Lets the standby's next backup start later than the one before. */
    const moveRestartpoint = async (): Promise<void> => {
      await primary.server.query('checkpoint');
      await replayed();
      await standby.server.query('checkpoint');
    };

    /** The standby has replayed all that the primary has written. */
    const replayed = async (): Promise<void> => {
      const lsn = await valueOf(primary.server, 'pg_current_wal_lsn()');
      await eventually('the standby replaying', async () => {
        const at = await valueOf(standby.server, `pg_last_wal_replay_lsn() >= '${lsn}'`);
        return at === 'true' ? true : undefined;
      });
    };

    /** What PostgreSQL makes of the target, if nobody warns. */
    const postgresMissesTheEndOf = async (name: string): Promise<void> => {
      const inspect = async (restored: string): Promise<void> => {
        const path = join(restored, 'postgresql.auto.conf');
        const others = readFileSync(path, 'utf8').replaceAll(/^recovery_target.*\n/gm, '');
        writeFileSync(path, `${others}recovery_target = 'immediate'\n`);
      };
      await assert.rejects(
        standby.restore({ args: [name], inspect }),
        /recovery ended before configured recovery target was reached/,
      );
    };

    /** A backup while the primary moves on, which is when the standby's WAL gets archived. */
    const push = async (): ReturnType<BackupSite['push']> => {
      let running = true;
      const busy = (async () => {
        while (running) {
          await primary.server.query("select pg_logical_emit_message(false, 'tsbk', 'x')");
          await primary.server.query('select pg_switch_wal()');
          await sleep(1000);
        }
      })();
      try {
        return await standby.push();
      } finally {
        running = false;
        await busy;
      }
    };

    it('whose primary is idle ends its backup in time, and says what to do', async () => {
      const run = await standby.tsbk(['backup-push'], { env: { TSBK_WAL_TIMEOUT: '3s' } });
      assert.equal(run.code, 75, run.stderr);
      assert.match(run.stderr, /WAL segment 0000000100000000000000\w\w did not reach the archive/);
      assert.match(run.stderr, /\[wal-wait-timeout\]/);
      assert.match(run.stderr, /pg_switch_wal\(\) on its primary/);
      assert.deepEqual(await standby.list(), []);
      assert.equal(existsSync(join(standby.root, 'basebackups_005')), false);
    });

    it('gives a backup while its primary works, and no other one from the same restartpoint', async () => {
      const { name } = await push();
      const before = await contentOfTree(join(standby.root, 'basebackups_005'));
      const again = await standby.tsbk(['backup-push'], { env: { TSBK_WAL_TIMEOUT: '3s' } });
      assert.equal(again.code, 1, again.stderr);
      assert.match(again.stderr, /\[backup-exists\]/);
      assert.ok(again.stderr.includes(name) && again.stderr.includes('CHECKPOINT'), again.stderr);
      assert.deepEqual(await contentOfTree(join(standby.root, 'basebackups_005')), before);
    });

    it('gives another one after the next restartpoint, and both are restored', async () => {
      await primary.server.query('insert into t select generate_series(1001, 2000)');
      await moveRestartpoint();
      const { name } = await push();
      const names = await standby.list();
      assert.equal(names.length, 2);
      assert.equal(names[1], name);
      // The end of a backup is found by a record after it.
      await archiveEverything(primary.server);
      for (const [index, rows] of [1000, 2000].entries()) {
        await using restored = await standby.restore({
          args: [names[index] ?? '', '--target-immediate'],
        });
        assert.equal(await valueOf(restored.server, 'select count(*) from t'), String(rows));
      }
    });

    it('gives one that ends with the archive, whose end is no target, but is reached without', async () => {
      await moveRestartpoint();
      await primary.server.query("select pg_logical_emit_message(false, 'tsbk', 'x')");
      await primary.server.query('select pg_switch_wal()');
      await replayed();
      const { name, stopLsn } = await standby.push();
      assert.match(stopLsn, /000000$/);
      const directory = scratchPathForServerUser('refused');
      const run = await standby.tsbk(['backup-fetch', directory, name, '--target-immediate']);
      assert.equal(run.code, 1, run.stderr);
      assert.match(run.stderr, /\[target-unreachable\]\n.*Leave the target out/);
      if (version === 17) await postgresMissesTheEndOf(name);
      await using restored = await standby.restore({ args: [name] });
      assert.equal(await valueOf(restored.server, 'select count(*) from t'), '2000');
    });
  });
}
