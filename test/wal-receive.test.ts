/** `tsbk wal-receive` beside real servers: what it says is durable is there after everything else is lost. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseLsn, type Lsn } from '@tsbk/core/kernel/lsn';
import { siteOf } from './support/backup-site.ts';
import { lastOfLedger, startLedger } from './support/ledger.ts';
import { startPostgres, type Server } from './support/postgres.ts';
import { startReceiver } from './support/receiver.ts';
import { openTestStore } from './support/store.ts';
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

for (const { version, kind } of [
  { version: 13, kind: 'directory' },
  { version: 18, kind: 's3' },
] as const) {
  describe(`wal-receive from PostgreSQL ${version} into ${kind}`, () => {
    it('keeps what it said to be durable, whenever it was killed, when server and disk are lost', async () => {
      await using store = await openTestStore(kind);
      await using server = await startPostgres({ version });
      const state = serverFolder('state');
      let receiver = await startReceiver(server, store, { state });
      await receiver.flushed(await lsnOf(server));
      const site = siteOf(server, store.env);
      await site.push();
      const ledger = await startLedger(server);
      for (const pauseMs of [300, 700, 1300]) {
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
      await using restored = await site.restore();
      const last = await lastOfLedger(restored.server);
      assert.ok(last >= ledger.lastBefore(flushed), receiver.stderr());
      assert.ok(last > 50);
    });
  });
}
