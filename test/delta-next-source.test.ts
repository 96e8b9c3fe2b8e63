/**
 * Servers that refuse an increment. While nobody has fixed the source the chain goes on by the pages, where
 * that is safe, and by the server again as soon as it can.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { archiveEverything } from './support/archiving-server.ts';
import { openBackupSite, siteOf, type BackupSite } from './support/backup-site.ts';
import { change, sumsOfTables } from './support/delta-changes.ts';
import { loseSummaries } from './support/lose-summaries.ts';
import type { Server } from './support/postgres.ts';
import { installedTsbk } from './support/tsbk.ts';

const LONG = process.env['TSBK_TEST_LONG'] === undefined && 'TSBK_TEST_LONG is not set';
const DELTAS = { TSBK_DELTA_MAX_STEPS: '10', TSBK_DELTA_FALLBACK: 'fail' };
const SUMMARIZED = 'the server has summarized its WAL';

/** From now on: a server begins with the oldest WAL that it has. */
async function summarize(server: Server): Promise<void> {
  await archiveEverything(server);
  await server.query('checkpoint');
  await server.query("alter system set summarize_wal = 'on'");
  await server.query('select pg_reload_conf()');
}

/** Takes a delta, which must come from there and say why. */
async function pushFrom(site: BackupSite, source: string, why: RegExp) {
  const { name, startLsn, delta, reason, run } = await site.push();
  assert.equal(delta?.source, source, run.stderr);
  assert.match(reason, why);
  const isSecond = source === 'stream';
  assert.equal(
    /"code":"delta-source","message":"changes found in the stream instead/.test(run.stderr),
    isSecond,
  );
  return { name, startLsn };
}

async function comesBack(site: BackupSite): Promise<void> {
  const sums = await sumsOfTables(site.server);
  await archiveEverything(site.server);
  await using restored = await site.restore();
  assert.deepEqual(await sumsOfTables(restored.server), sums);
}

it('a chain goes on by the pages where summaries do not reach back, and by the server after that', async () => {
  await using site = await openBackupSite({ version: 17, tsbkEnv: DELTAS });
  const { server } = site;
  await change(server, 0);
  await site.push();
  await summarize(server);
  await change(server, 1);
  await pushFrom(site, 'stream', /WAL summaries are required/);
  await change(server, 2);
  const { startLsn } = await pushFrom(site, 'server', new RegExp(SUMMARIZED));
  await loseSummaries(server, startLsn);
  await change(server, 3);
  const last = await pushFrom(site, 'stream', /WAL summaries are required/);
  await comesBack(site);
  await loseSummaries(server, last.startLsn);
  await refusesWhatWasAskedFor(site);
});

/** A full backup and a warning, or an error. */
async function refusesWhatWasAskedFor(site: BackupSite): Promise<void> {
  const env = { TSBK_DELTA_SOURCE: 'server' };
  const failed = await site.tsbk(['backup-push'], { env });
  assert.equal(failed.code, 1, failed.stderr);
  assert.match(failed.stderr, /WAL summaries are required.*\[delta-refused\]/);
  const full = await site.push([], { env: { ...env, TSBK_DELTA_FALLBACK: 'full' } });
  assert.equal(full.delta, undefined);
  assert.match(full.reason, /WAL summaries are required/);
  assert.match(full.run.stderr, /"code":"delta-refused".*full backup instead/);
}

const LEFT = 'nothing is built by the pages either on a backup that the server has left behind';
it(LEFT, { skip: LONG }, async () => {
  const settings = { summarize_wal: 'on' };
  const tsbkEnv = { ...DELTAS, TSBK_DELTA_FALLBACK: 'full' };
  await using site = await openBackupSite({ version: 18, settings, tsbkEnv });
  await change(site.server, 0);
  const full = await site.push();
  await change(site.server, 1);
  const left = await pushFrom(site, 'server', new RegExp(SUMMARIZED));
  await archiveEverything(site.server);

  const archiving = { archive_mode: 'on', archive_command: `${installedTsbk().archivePush} %p` };
  await using restored = await site.restore({
    args: [full.name, '--target-immediate'],
    start: { settings: { ...settings, ...archiving } },
  });
  const branch = siteOf(restored.server, { WALG_FILE_PREFIX: site.root, ...tsbkEnv });
  // Beyond the end of the parent: servers do not look where its timeline was left.
  for (let segment = 0; segment < 3; segment += 1) await archiveEverything(restored.server);
  const { delta, reason, run } = await branch.push();
  assert.equal(delta, undefined);
  assert.ok(reason.includes(`${left.name} is of timeline 1 beyond where timeline 2 comes from`));
  assert.match(run.stderr, /"code":"delta-refused"/);
});

it('a chain goes on by the pages where the summarizer stands still', { skip: LONG }, async () => {
  const settings = { summarize_wal: 'on' };
  await using site = await openBackupSite({ version: 18, settings, tsbkEnv: DELTAS });
  const { server } = site;
  await change(server, 0);
  await site.push();
  const [summarizer] = await server.query<{ pid: number }>(
    "select pid from pg_stat_activity where backend_type = 'walsummarizer'",
  );
  assert.ok(summarizer !== undefined);
  process.kill(summarizer.pid, 'SIGSTOP');
  try {
    await change(server, 1);
    await pushFrom(site, 'stream', /WAL summarization is not progressing/);
  } finally {
    process.kill(summarizer.pid, 'SIGCONT');
  }
  await comesBack(site);
});
