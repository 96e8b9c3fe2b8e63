/** Backups that cannot even begin: one clear message, the right exit code, nothing changed. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { connectionEnv } from './support/archiving-server.ts';
import type { BackupSite } from './support/backup-site.ts';
import { contentOfTree, treeOf } from './support/file-tree.ts';
import { modelEnv, openModelStore } from './support/model-store.ts';
import { startPostgres } from './support/postgres.ts';
import { refused } from './support/refused.ts';
import { startTinyServer, type TinyServer } from './support/tiny-server.ts';
import { runTsbk, type TsbkRun } from './support/tsbk.ts';

const PASSWORD = 'sésame';

/** Over TCP, where pg_hba.conf trusts nobody. */
const TCP = { PGHOST: '127.0.0.1', PGSSLMODE: 'disable' };

describe('a backup that cannot be', { concurrency: 3 }, () => {
  let tiny: TinyServer;
  let site: BackupSite;
  let content: Readonly<Record<string, string>>;

  before(async () => {
    tiny = await startTinyServer({
      hba: [
        'local replication postgres trust',
        'host all,replication secretive 127.0.0.1/32 scram-sha-256',
        'host all,replication bystander 127.0.0.1/32 trust',
      ],
    });
    await tiny.server.query(`
      set password_encryption = 'scram-sha-256';
      create role walker login replication;
      create role bystander login;
      create role secretive login replication password '${PASSWORD}'`);
    site = tiny.repository();
    await site.push();
    content = await contentWithoutWal();
  });

  after(async () => {
    assert.ok(Object.keys(content).length > 8);
    assert.deepEqual(await contentWithoutWal(), content, 'nothing in the repository has changed');
    await tiny.server.close();
  });

  /** The server goes on archiving. */
  async function contentWithoutWal(): Promise<Readonly<Record<string, string>>> {
    const all = Object.entries(await contentOfTree(site.root));
    return Object.fromEntries(all.filter(([path]) => !path.startsWith('wal_005/')));
  }

  /** Runs with the site's settings but for these. */
  const push = (
    env: Readonly<Record<string, string>> = {},
    args: readonly string[] = [],
  ): Promise<TsbkRun> => site.tsbk(['backup-push', ...args], { env });

  it('because the repository belongs to another cluster says whose it is', async () => {
    await using other = await startPostgres({ version: 13, newSystemId: true });
    const ids = await Promise.all(
      [tiny.server, other].map(async (server) => {
        const [row] = await server.query<{ id: string }>(
          'select system_identifier::text as id from pg_control_system()',
        );
        return row?.id ?? '';
      }),
    );
    const run = await push(connectionEnv(other));
    refused(run, 1, 'wrong-system-id', site.root, 'prefix of its own', ...ids);
  });

  const SERVER_CASES: Readonly<Record<string, () => Promise<void>>> = {
    'the password is wrong': async () => {
      const run = await push({ ...TCP, PGUSER: 'secretive', PGPASSWORD: `${PASSWORD}!` });
      refused(run, 1, 'server-denied', 'password authentication failed', 'PGPASSWORD');
      assert.ok(!run.stderr.includes(PASSWORD), run.stderr);
    },
    'there is no password': async () => {
      refused(await push({ ...TCP, PGUSER: 'secretive' }), 1, 'server-denied', 'PGPASSWORD');
    },
    'the role may not replicate': async () => {
      const run = await push({ ...TCP, PGUSER: 'bystander', PGDATABASE: 'postgres' });
      refused(run, 1, 'server-denied', 'LOGIN REPLICATION');
    },
    'pg_hba.conf has no line for it': async () => {
      refused(await push({ ...TCP, PGUSER: 'walker' }), 1, 'server-denied', 'pg_hba.conf');
    },
    'the host does not exist': async () => {
      const run = await push({ PGHOST: 'no-such-host.invalid' });
      refused(run, 75, 'server-unreachable', 'no-such-host.invalid', 'PGHOST');
    },
    'nobody listens there': async () => {
      const run = await push({ PGHOST: '127.0.0.1', PGPORT: '9' });
      refused(run, 75, 'server-unreachable', '127.0.0.1', 'listen_addresses');
    },
    'there is no such socket': async () => {
      refused(await push({ PGHOST: '/nowhere' }), 75, 'server-unreachable', '/nowhere');
    },
  };
  for (const [why, check] of Object.entries(SERVER_CASES)) it(`because ${why} says so`, check);

  const STORE_CASES: Readonly<Record<string, () => Promise<void>>> = {
    'the directory does not exist': async () => {
      const missing = `${site.root}/nowhere`;
      refused(await push({ WALG_FILE_PREFIX: missing }), 1, 'store-missing', missing, 'mkdir');
      assert.equal(existsSync(missing), false);
    },
    'it may not write into the directory': async () => {
      const closed = tiny.repository();
      chmodSync(closed.root, 0o500);
      refused(await closed.tsbk(['backup-push']), 1, 'store-denied', closed.root);
      assert.deepEqual(
        treeOf(closed.root).filter(({ path }) => !path.startsWith('wal_005')),
        [],
      );
    },
    'the bucket does not exist': async () => {
      await using store = await openModelStore();
      const run = await runTsbk(['backup-push'], {
        env: { ...connectionEnv(tiny.server), ...modelEnv(store.model, 's3://nowhere/main') },
      });
      refused(run, 1, 'store-missing', 'nowhere');
    },
    'it may not write into the bucket': async () => {
      await using store = await openModelStore();
      const denied = { kind: 'status', status: 403, code: 'AccessDenied' } as const;
      store.model.addRule({ method: 'PUT', times: 1000, fault: denied });
      const run = await runTsbk(['backup-push'], {
        env: { ...connectionEnv(tiny.server), ...store.env },
      });
      refused(run, 1, 'store-denied', 'tsbk-model');
    },
  };
  for (const [why, check] of Object.entries(STORE_CASES)) it(`because ${why} says so`, check);

  it('because the repository is not set says what to set', async () => {
    const run = await runTsbk(['backup-push'], { env: connectionEnv(tiny.server) });
    refused(run, 2, 'setting-missing', 'WALG_FILE_PREFIX', 'WALG_S3_PREFIX');
  });

  for (const [name, value, ...parts] of [
    ['TSBK_FAILPOINT', 'fly:1:kill', 'fly:1:kill'],
    ['TSBK_WAL_TIMEOT', '3s', 'TSBK_WAL_TIMEOUT'],
    ['TSBK_WAL_TIMEOUT', 'soon', 'TSBK_WAL_TIMEOUT', 'soon'],
  ] as const) {
    it(`because of the setting ${name}=${value} says what is wrong with it`, async () => {
      refused(await push({ [name]: value }), 2, 'usage', ...parts);
    });
  }

  it('because it would not be encrypted as asked says so', async () => {
    const run = await push({ WALG_GPG_KEY_ID: 'key' });
    refused(run, 2, 'unsupported-setting', 'WALG_GPG_KEY_ID');
  });

  for (const [args, ...parts] of [
    [['--permanant'], '--permanent'],
    [['--compression-method', 'gzip'], 'gzip', 'lz4'],
    [['--checkpoint', 'never'], 'fast or spread'],
    [['--label', 'a\nb'], '--label'],
    [['--add-user-data', '{'], '--add-user-data', 'JSON'],
    [['/elsewhere'], 'no directory /elsewhere', 'leave the directory out'],
    [['a', 'b'], 'backup-push'],
  ] as const) {
    it(`because of ${JSON.stringify(args)} says what is wrong with it`, async () => {
      refused(await push({}, args), 2, 'usage', ...parts);
    });
  }
});
