import assert from 'node:assert/strict';
import { connectionEnv } from '../support/archiving-server.ts';
import { startPostgres, type PostgresVersion, type Server } from '../support/postgres.ts';
import { installedTsbk, runTsbk } from '../support/tsbk.ts';
import { backlogOf } from './archive-check.ts';
import { openDirectory, openS3, openSmallDisk } from './breakable-store.ts';
import { collectEvidence, type Evidence } from './evidence.ts';
import { startFollower, type Follower, type RestoreSite } from './follower.ts';
import type { Targets } from './inflict.ts';
import { startLedger } from './ledger.ts';
import type { Totals } from './totals.ts';
import type { Way } from './way.ts';

export interface Campaign {
  readonly seed: number;
  readonly rounds: number;
  readonly version: PostgresVersion;
  readonly store: 's3' | 'directory';
  readonly way: Way;
  /** Told what happens, line by line. */
  readonly log: (line: string) => void;
  readonly totals: Totals;
}

/** Everything that one campaign has open. */
export interface Scene extends Targets {
  readonly campaign: Campaign;
  readonly follower: Follower;
  readonly restoreSite: RestoreSite;
  /** Name of the first segment that the base backup needs. */
  readonly first: string;
  /** Objects of the archive that were compared, and what they were written as. */
  readonly seen: Map<string, string>;
}

/** Shorter than in life, so that what hangs is met within a round; and no threads for 8 MiB. */
const QUICK = {
  TSBK_PUSH_TIMEOUT: '4s',
  TSBK_REQUEST_TIMEOUT: '2s',
  TSBK_GET_PATIENCE: '20s',
  TSBK_LANES: '0',
};

/** Few segments are kept: one that counts as archived is soon gone from the server. */
const SETTINGS = {
  max_wal_size: '4MB',
  min_wal_size: '2MB',
  checkpoint_timeout: '30s',
  restart_after_crash: 'on',
};

/** A server under load that archives, a backup of it, and a server restored from that. */
export async function setScene(campaign: Campaign, open: AsyncDisposableStack): Promise<Scene> {
  const { way, version } = campaign;
  const store = open.use(await (campaign.store === 's3' ? openS3() : openDirectory()));
  const state = openSmallDisk('16m');
  open.defer(() => state.close());
  const evidence = collectEvidence(way.push);
  const env = { ...store.env, ...QUICK, ...way.env };
  const onServer = { ...env, TSBK_STATE_DIRECTORY: `${state.path}/state` };
  const server = open.use(await startArchiving(version, evidence, onServer));
  const waySite = { server, env: onServer };
  open.defer(() => way.stop());
  await way.start(waySite);
  const ledger = await startLedger(server, tooMuchToArchive(server));
  open.defer(() => ledger.stop());
  const first = await backUp(server, env);
  const restoreSite = { version, env: { ...env, ...way.restoreEnv }, get: way.get };
  const follower = open.use(await startFollower(restoreSite));
  const seen = new Map<string, string>();
  const targets = { server, way, waySite, store, state, evidence, ledger, follower };
  return { ...targets, campaign, restoreSite, first, seen };
}

/** The load waits while more than this is to be archived, so that a campaign ends in time. */
const BACKLOG_MAX = 6;

function tooMuchToArchive({ dataDir }: Server): () => boolean {
  const look = { at: 0, answer: false };
  return () => {
    if (performance.now() - look.at > 100) {
      look.answer = backlogOf(dataDir) > BACKLOG_MAX;
      look.at = performance.now();
    }
    return look.answer;
  };
}

async function startArchiving(
  version: PostgresVersion,
  { archiveCommand }: Evidence,
  env: Readonly<Record<string, string>>,
): Promise<Server> {
  return await startPostgres({
    version,
    walSegmentMb: 1,
    newSystemId: true,
    archiveCommand,
    settings: SETTINGS,
    env: { ...installedTsbk().env, ...env },
  });
}

/** Returns the name of the first segment that the backup needs. */
async function backUp(server: Server, env: Readonly<Record<string, string>>): Promise<string> {
  const run = await runTsbk(['backup-push', '--json'], {
    env: { ...env, ...connectionEnv(server) },
  });
  assert.equal(run.code, 0, run.stderr);
  const { startLsn } = JSON.parse(run.stdout) as { startLsn: string };
  const [row] = await server.query<{ name: string }>('select pg_walfile_name($1) as name', [
    startLsn,
  ]);
  return row?.name ?? '';
}
