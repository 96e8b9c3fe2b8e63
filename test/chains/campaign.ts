import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { archiveEverything } from '../support/archiving-server.ts';
import { openBackupSite, type BackupSite } from '../support/backup-site.ts';
import {
  scratchPathForServerUser,
  type PostgresVersion,
  type Server,
} from '../support/postgres.ts';
import { seeded, type Seeded } from '../support/seeded.ts';
import { startWriteLoad } from '../support/write-load.ts';
import { damage, fingerprint } from './fingerprint.ts';
import { manifestHolds } from './manifest-holds.ts';
import { giantRelation, startWorkload, type Workload } from './workload.ts';

export interface ChainCampaign {
  readonly seed: number;
  readonly version: PostgresVersion;
  /** Deltas after the first full backup. */
  readonly links: number;
  /** With a relation of more than 1 GiB. */
  readonly giant: boolean;
  readonly log: (line: string) => void;
}

/** Where the pages of a delta come from; `files` and `summaries` read the data directory. */
const SOURCES = ['auto', 'server', 'stream', 'files', 'summaries'] as const;
type Source = (typeof SOURCES)[number];

const CHANGES_A_LINK = 6;
/** One link in so many is merged, and what comes after it builds on that. */
const MERGED_EVERY = 3;

/**
 * Random changes, a delta, a restore of it, and so on along a chain whose links come from random
 * sources: what is restored must hold what the server held, row for row and page for page.
 */
export async function runChain(campaign: ChainCampaign): Promise<void> {
  const { seed, version, links, giant, log } = campaign;
  const random = seeded(seed);
  const merges = seeded(seed ^ 0x3e26e);
  await using site = await openBackupSite({
    version,
    settings: version >= 17 ? { summarize_wal: 'on' } : {},
    tsbkEnv: { WALG_COMPRESSION_METHOD: random.pick(['lz4', 'zstd']) },
  });
  const { server } = site;
  const workload = await startWorkload(server, random);
  const relation = giant ? await giantRelation(server) : undefined;
  const full = await pushUnderLoad(site, random, { source: sourceOf(random, version), full: true });
  log(`seed ${seed}: PostgreSQL ${version}, ${full.name}`);
  for (let link = 1; link <= links; link += 1) {
    const changes = await workload.changes(random.between(1, CHANGES_A_LINK));
    if (link === 2) await relation?.cut();
    if (random.below(6) === 0) {
      await switchTimeline(server);
      changes.push('switch of the timeline');
    }
    const source = sourceOf(random, version);
    const pushed = await pushUnderLoad(site, random, { source, full: false });
    const stored = `${pushed.storedBytes} of ${pushed.plainBytes} bytes`;
    log(`seed ${seed} link ${link}: ${changes.join(', ')}; ${source}: ${pushed.name}, ${stored}`);
    assert.match(pushed.name, /_D_/, pushed.run.stderr);
    await restoreAndCompare(site, workload, pushed.name);
    if (merges.below(MERGED_EVERY) > 0) continue;
    const merged = await merge(site, pushed.name);
    log(`seed ${seed} link ${link}: merged to ${merged}`);
    await restoreAndCompare(site, workload, merged);
  }
}

function sourceOf(random: Seeded, version: PostgresVersion): Source {
  const possible = SOURCES.filter((source) => {
    return version >= 17 || (source !== 'server' && source !== 'summaries');
  });
  return random.pick(possible);
}

/** With or without somebody writing meanwhile. */
async function pushUnderLoad(
  site: BackupSite,
  random: Seeded,
  { source, full }: { readonly source: Source; readonly full: boolean },
): ReturnType<BackupSite['push']> {
  const isLocal = source === 'files' || source === 'summaries' || random.below(3) === 0;
  const readsFiles = isLocal && source !== 'server' && source !== 'stream';
  const load = random.below(2) === 0 ? startWriteLoad(site.server) : undefined;
  const env = {
    WALG_DELTA_MAX_STEPS: '100',
    WALG_DELTA_ORIGIN: random.pick(['LATEST', 'LATEST', 'LATEST_FULL']),
    TSBK_DELTA_SOURCE: source,
    TSBK_DELTA_FALLBACK: 'fail',
  };
  try {
    const args = [...(readsFiles ? [site.server.dataDir] : []), ...(full ? ['--full'] : [])];
    return await site.push(args, { env });
  } finally {
    await load?.stop();
    if (load !== undefined) await site.server.query('drop table load');
  }
}

async function merge(site: BackupSite, name: string): Promise<string> {
  const run = await site.tsbk(['backup-merge', name, '--json']);
  assert.equal(run.code, 0, run.stderr);
  return (JSON.parse(run.stdout) as { name: string }).name;
}

async function restoreAndCompare(
  site: BackupSite,
  { tablespaces }: Workload,
  backup: string,
): Promise<void> {
  const { server } = site;
  const expected = await fingerprint(server);
  await archiveEverything(server);
  const mapping = tablespaces.map(
    (place) => `--tablespace-mapping=${place}=${scratchPathForServerUser('space')}`,
  );
  await using restored = await site.restore({
    args: [backup, ...mapping],
    inspect: manifestHolds,
  });
  assert.deepEqual(await fingerprint(restored.server), expected);
  assert.deepEqual(await damage(restored.server), []);
}

/** The server goes on in a history of its own, as one that was promoted. */
async function switchTimeline(server: Server): Promise<void> {
  await server.stop('fast');
  writeFileSync(join(server.dataDir, 'recovery.signal'), '');
  await server.restart({ restore_command: '/bin/false', recovery_target_timeline: 'latest' });
  await untilPromoted(server);
}

async function untilPromoted(server: Server): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    const [row] = await server.query<{ recovering: boolean }>(
      'select pg_is_in_recovery() as recovering',
    );
    if (row?.recovering === false) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the server was not promoted within 30 s');
}
