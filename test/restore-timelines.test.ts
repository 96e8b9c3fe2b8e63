/** Restores along the branches that earlier restores made, with live servers. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { inlineLanes } from '@tsbk/core/lanes/inline';
import { fetchBackup } from '@tsbk/core/restore/fetch';
import { parseTarget, type TargetTexts, type TimelineChoice } from '@tsbk/core/restore/target';
import { fetchRequest } from './support/fetch-request.ts';
import {
  archiveEverything,
  connectionEnv,
  startArchivingServer,
} from './support/archiving-server.ts';
import { scratchPath, startFrom, type Server } from './support/postgres.ts';
import { openTestStore, type TestStore } from './support/store.ts';
import { installedTsbk, runTsbk } from './support/tsbk.ts';
import { openDirectory } from './support/walg-cases.ts';

const { signal } = new AbortController();
const VERSION = 16;

describe('after a restore into the past that went on', () => {
  let store: TestStore;
  let primary: Server;

  before(async () => {
    store = await openTestStore('directory');
    primary = await startArchivingServer(store, { version: VERSION, walSegmentMb: 1 });
    await primary.query('create table rows (x text)');
    const pushed = await runTsbk(['backup-push'], {
      env: { ...store.env, ...connectionEnv(primary) },
    });
    assert.equal(pushed.code, 0, pushed.stderr);
    await primary.query("insert into rows values ('common')");
    await primary.query("select pg_create_restore_point('fork')");
    await primary.query("insert into rows values ('old')");
    await archiveEverything(primary);
    await primary.stop();
    // Twice, so that there is a branch of a branch.
    await branch({ name: 'fork' }, 'latest', 'young');
    await branch({}, 2, 'younger');
  });

  after(async () => {
    await primary?.close();
    await store?.[Symbol.asyncDispose]();
  });

  async function restored(
    target: TargetTexts,
    timeline: TimelineChoice,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<Server> {
    const request = fetchRequest({
      destination: scratchPath('restored'),
      target: parseTarget(target, { localZone: 'UTC' }),
      timeline,
      restoreCommand: `${installedTsbk().archiveGet} "%f" "%p"`,
    });
    const repository = await openDirectory(store.env['WALG_FILE_PREFIX'] ?? '');
    const lanes = inlineLanes(repository, 2);
    await fetchBackup({ repository, lanes }, request, { signal, report: () => {} });
    return await startFrom(request.destination, {
      version: VERSION,
      waitFor: 'end-of-recovery',
      settings,
      env: { ...installedTsbk().env, ...store.env },
    });
  }

  /** Restores, writes a row on the new timeline and archives it. */
  async function branch(target: TargetTexts, timeline: TimelineChoice, row: string): Promise<void> {
    const archive = { archive_mode: 'on', archive_command: `${installedTsbk().archivePush} %p` };
    await using server = await restored(target, timeline, archive);
    await server.query('insert into rows values ($1)', [row]);
    await archiveEverything(server);
    await server.stop();
  }

  async function rows(target: TargetTexts, timeline: TimelineChoice): Promise<string[]> {
    await using server = await restored(target, timeline);
    const found = await server.query<{ x: string }>('select x from rows order by ctid');
    return found.map(({ x }) => x);
  }

  test('each branch can be restored', async () => {
    assert.deepEqual(await rows({}, 'current'), ['common', 'old']);
    assert.deepEqual(await rows({}, 1), ['common', 'old']);
    assert.deepEqual(await rows({}, 2), ['common', 'young']);
    assert.deepEqual(await rows({}, 3), ['common', 'young', 'younger']);
  });

  test('a restore point is found on the branch that has it', async () => {
    assert.deepEqual(await rows({ name: 'fork' }, 'current'), ['common']);
  });
});
