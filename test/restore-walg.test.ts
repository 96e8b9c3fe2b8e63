/** Backups that WAL-G made are restored, and a real server recovers from them. */
import assert from 'node:assert/strict';
import { existsSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import { inlineLanes } from '@tsbk/core/lanes/inline';
import type { ReportEvent } from '@tsbk/core/ports/report';
import { fetchBackup, type FetchRequest } from '@tsbk/core/restore/fetch';
import type { RecoveryTarget } from '@tsbk/core/restore/target';
import { fetchRequest } from './support/fetch-request.ts';
import {
  giveToServerUser,
  scratchPath,
  stageForServerUser,
  startFrom,
  type Server,
} from './support/postgres.ts';
import { installedTsbk } from './support/tsbk.ts';
import {
  majorVersion,
  openDirectory,
  walgCases,
  walgFolder,
  type WalgCase,
} from './support/walg-cases.ts';

const { signal } = new AbortController();

function requestOf(golden: WalgCase, backup: string, target: RecoveryTarget): FetchRequest {
  const destination = scratchPath('restored');
  return fetchRequest({
    backup,
    destination,
    target,
    restoreCommand: `${installedTsbk().archiveGet} "%f" "%p"`,
    tablespaceMapping: golden.tablespaces.map(({ oid }) => ({
      from: String(oid),
      to: `${destination}-ts${oid}`,
    })),
    fsync: true,
  });
}

async function restore(
  golden: WalgCase,
  backup: string,
  target: RecoveryTarget,
): Promise<{ request: FetchRequest; events: ReportEvent[] }> {
  const request = requestOf(golden, backup, target);
  const repository = await openDirectory(walgFolder(golden), golden.env);
  const events: ReportEvent[] = [];
  const lanes = inlineLanes(repository, 3);
  await fetchBackup({ repository, lanes }, request, {
    signal,
    report: (event) => events.push(event),
  });
  return { request, events };
}

async function start(golden: WalgCase, request: FetchRequest): Promise<Server> {
  for (const { to } of request.tablespaceMapping) giveToServerUser(to);
  return await startFrom(request.destination, {
    version: majorVersion(golden),
    database: golden.database,
    waitFor: 'end-of-recovery',
    settings: { wal_level: 'replica' },
    env: {
      ...installedTsbk().env,
      ...golden.env,
      WALG_FILE_PREFIX: stageForServerUser(walgFolder(golden)),
    },
  });
}

async function fingerprint(server: Server): Promise<{ rows: number; md5: string }> {
  const [found] = await server.query<{ rows: number; md5: string }>(
    "select count(*)::int as rows, md5(string_agg(n || ':' || t, E'\\n' order by n)) as md5 from golden",
  );
  return found ?? { rows: 0, md5: '' };
}

const CASES = walgCases()
  .filter(({ complete }) => complete)
  .flatMap((golden) => golden.backups.map((backup) => ({ golden, backup })));

for (const { golden, backup } of CASES) {
  describe(`the backup ${backup} of wal-g in ${golden.case}`, () => {
    test('recovers to the end of the archive', async () => {
      const { request } = await restore(golden, backup, { kind: 'latest' });
      for (const { from, to } of request.tablespaceMapping) {
        assert.equal(readlinkSync(join(request.destination, 'pg_tblspc', from)), to);
      }
      await using server = await start(golden, request);
      const expected = { rows: golden.rowsAtLatest, md5: golden.md5AtLatest };
      assert.deepEqual(await fingerprint(server), expected);
    });

    test('recovers to a restore point', async () => {
      const name = golden.restorePoint;
      const { request } = await restore(golden, backup, { kind: 'name', name });
      await using server = await start(golden, request);
      const expected = { rows: golden.rowsAtRestorePoint, md5: golden.md5AtRestorePoint };
      assert.deepEqual(await fingerprint(server), expected);
    });

    test('is not touched for a restore point that is not there', async () => {
      const request = requestOf(golden, backup, { kind: 'name', name: 'golden_rq' });
      const repository = await openDirectory(walgFolder(golden), golden.env);
      const lanes = inlineLanes(repository, 3);
      await assert.rejects(
        fetchBackup({ repository, lanes }, request, { signal, report: () => {} }),
        (error) => isTsbkError(error, 'target-unreachable') && /golden_rq/.test(error.message),
      );
      assert.equal(existsSync(request.destination), false);
    });
  });
}
