/** `tsbk wal-receive` beside real servers: what it says is durable is there after everything else is lost. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatLsn, parseLsn, toLsn, type Lsn } from '@tsbk/core/kernel/lsn';
import type { BlobStore } from '@tsbk/core/ports/blob-store';
import { planRestore } from '@tsbk/core/restore/plan-restore';
import { fetchRequest } from './support/fetch-request.ts';
import { siteOf, type BackupSite } from './support/backup-site.ts';
import { eventually } from './support/eventually.ts';
import { lastOfLedger, startLedger } from './support/ledger.ts';
import { scratchPathForServerUser, startPostgres, type Server } from './support/postgres.ts';
import { startReceiver } from './support/receiver.ts';
import { openTestStore } from './support/store.ts';
import { openDirectory } from './support/walg-cases.ts';
import { serverFolder } from './support/wal-commands.ts';

/** Kills a server and removes its directory: nothing of it is left to ask. */
async function loseServer(server: Server): Promise<void> {
  await server.stop('kill');
  rmSync(server.dataDir, { recursive: true, force: true, maxRetries: 20 });
}

async function lsnOf(server: Server): Promise<Lsn> {
  const [row] = await server.query<{ lsn: string }>('select pg_current_wal_flush_lsn() as lsn');
  const lsn = parseLsn(row?.lsn ?? '');
  assert.ok(lsn !== undefined);
  return lsn;
}

interface Plan {
  readonly problems: readonly unknown[];
  readonly wal: { readonly openBytes: string | null };
}

/** Plans while the piece that is read as the n-th seems to be gone, as when a receiver folds it just then. */
async function planWithoutPiece({ root }: BackupSite, lsn: Lsn, nth: number): Promise<void> {
  const opened = await openDirectory(root);
  let reads = 0;
  const store: BlobStore = {
    ...opened.store,
    get: async (key, options) => {
      const isHidden = key.startsWith('tsbk_wal_pieces/') && reads++ === nth;
      return isHidden ? undefined : await opened.store.get(key, options);
    },
  };
  const plan = await planRestore(
    { ...opened, store },
    fetchRequest({
      destination: scratchPathForServerUser('planned'),
      target: { kind: 'lsn', lsn, inclusive: true },
    }),
    { signal: new AbortController().signal, report: () => {} },
  );
  assert.deepEqual(plan.problems, []);
  assert.ok(reads > nth, 'the piece that was to be gone was never read');
}

/** What a restore to an LSN would do. */
async function planFor(site: BackupSite, lsn: Lsn): Promise<Plan> {
  const target = ['--target-lsn', formatLsn(lsn)];
  const directory = scratchPathForServerUser('planned');
  const run = await site.tsbk(['backup-fetch', directory, 'LATEST', '--plan', '--json', ...target]);
  assert.equal(run.code, 0, run.stderr);
  return JSON.parse(run.stdout) as Plan;
}

describe('wal-receive', () => {
  it('keeps what it said to be durable, whenever it was killed, when server and disk are lost', async () => {
    await using store = await openTestStore('directory');
    await using server = await startPostgres({ version: 13 });
    const state = serverFolder('state');
    let receiver = await startReceiver(server, store, { state });
    await receiver.flushed(await lsnOf(server));
    const site = siteOf(server, store.env);
    await site.push();
    const ledger = await startLedger(server);
    for (const pauseMs of [300, 1300]) {
      await sleep(pauseMs);
      await receiver.stop('SIGKILL');
      await server.query('select pg_switch_wal()');
      receiver = await startReceiver(server, store, { state, args: [] });
    }
    await receiver.flushed(await lsnOf(server));
    await sleep(500);
    await loseServer(server);
    const flushed = parseLsn((await receiver.status())?.flushLsn ?? '');
    await receiver.stop('SIGKILL');
    await ledger.stop();
    assert.ok(flushed !== undefined);
    const plan = await planFor(site, toLsn(flushed - 1000n));
    assert.deepEqual(plan.problems, []);
    assert.ok(Number(plan.wal.openBytes) > 0);
    for (let nth = 0; nth < 3; nth += 1) await planWithoutPiece(site, toLsn(flushed - 1000n), nth);
    await using restored = await site.restore();
    const last = await lastOfLedger(restored.server);
    assert.ok(last >= ledger.lastBefore(flushed), receiver.stderr());
    assert.ok(last > 20);
  });

  it('as a synchronous standby loses nothing that was acknowledged, whatever is killed', async () => {
    await using store = await openTestStore('s3');
    await using server = await startPostgres({ version: 18 });
    const state = serverFolder('state');
    const env = { TSBK_RECEIVE_FLUSH: '5ms' };
    let receiver = await startReceiver(server, store, { state, env });
    await receiver.flushed(await lsnOf(server));
    const site = siteOf(server, store.env);
    await site.push();
    await server.query("alter system set synchronous_standby_names = 'tsbk'");
    await server.query('select pg_reload_conf()');
    const ledger = await startLedger(server);
    await sleep(500);
    await receiver.stop('SIGKILL');
    const before = ledger.count();
    receiver = await startReceiver(server, store, { state, env, args: [] });
    await eventually('commits go on', async () => (ledger.count() > before + 5 ? true : undefined));
    // Both at once: nobody has time to save anything.
    process.kill(receiver.pid, 'SIGKILL');
    await loseServer(server);
    const acknowledged = await ledger.stop();
    await using restored = await site.restore();
    assert.ok((await lastOfLedger(restored.server)) >= acknowledged);
    assert.ok(acknowledged > before + 5);
  });
});
