import { installedTsbk } from '@tsbk/test/support/tsbk';
import { stageForServerUser } from '@tsbk/test/support/postgres';
import { connectionEnv, type Site } from '../contenders/contender.ts';
import { pgBackRest, pgBackRestIn } from '../contenders/pgbackrest.ts';
import { walG, walGProgram } from '../contenders/wal-g.ts';
import type { Command } from '../measure/run-measured.ts';
import type { DeltaContender, DeltaSession } from './delta-contender.ts';

/** More than any run takes. */
const MAX_STEPS = '1000';
const WITH_SUMMARIES = 17;

function needsSummaries(version: number): string | undefined {
  return version < WITH_SUMMARIES ? 'PostgreSQL summarizes WAL from 17 on' : undefined;
}

function tsbkBy(
  source: 'server' | 'stream' | 'files' | 'summaries',
  note: string,
  excluded: DeltaContender['excluded'] = () => undefined,
): DeltaContender {
  const readsFiles = source === 'files' || source === 'summaries';
  return {
    id: `tsbk-${source}`,
    title: `tsbk, ${source}`,
    note,
    absent: () => undefined,
    excluded,
    open: (site) => openTsbk(site, source, readsFiles ? [site.server.dataDir] : []),
  };
}

function openTsbk(site: Site, source: string, place: readonly string[]): DeltaSession {
  const { cli, archivePush, archiveGet, env: base } = installedTsbk();
  const env = {
    ...base,
    ...site.repository.env,
    ...connectionEnv(site.server),
    TSBK_COMPRESSION_METHOD: site.codec,
    TSBK_DELTA_MAX_STEPS: MAX_STEPS,
    TSBK_DELTA_SOURCE: source,
    TSBK_DELTA_FALLBACK: 'fail',
  };
  const push = (args: readonly string[]): Command => ({
    program: cli,
    args: ['backup-push', ...place, ...args],
    env,
  });
  return {
    archivePush: { program: archivePush, args: [], env },
    archiveGet: { program: archiveGet, args: [], env },
    full: push(['--full']),
    delta: push([]),
    restore: (directory) => ({ program: cli, args: ['backup-fetch', directory, 'LATEST'], env }),
    opens: 'as-restored',
  };
}

/** Its maps of changed blocks need a server before 14; without them it reads every page. */
const walGDelta: DeltaContender = {
  id: 'wal-g',
  title: 'WAL-G',
  note: 'wal-g backup-push PGDATA with WALG_DELTA_MAX_STEPS: reads every page of the data directory',
  absent: walG.absent,
  excluded: () => undefined,
  open: (site) => openWalG(site, {}),
};

const walGMapped: DeltaContender = {
  id: 'wal-g-maps',
  title: 'WAL-G, WAL maps',
  note: 'the same with WALG_USE_WAL_DELTA: wal-push records which blocks changed',
  absent: walG.absent,
  excluded: (version) =>
    version < 14 ? undefined : 'WAL-G cannot read all records of PostgreSQL 14 and later',
  open: (site) => openWalG(site, { WALG_USE_WAL_DELTA: 'true' }),
};

function openWalG(site: Site, settings: Readonly<Record<string, string>>): DeltaSession {
  const program = stageForServerUser(walGProgram() ?? '');
  const env = {
    ...site.repository.env,
    ...connectionEnv(site.server),
    PGDATA: site.server.dataDir,
    WALG_COMPRESSION_METHOD: site.codec,
    WALG_DELTA_MAX_STEPS: MAX_STEPS,
    ...settings,
  };
  const push = (args: readonly string[]): Command => ({
    program,
    args: ['backup-push', site.server.dataDir, ...args],
    env,
  });
  return {
    archivePush: { program, args: ['wal-push'], env },
    archiveGet: { program, args: ['wal-fetch'], env },
    full: push(['--full']),
    delta: push([]),
    restore: (directory) => ({ program, args: ['backup-fetch', directory, 'LATEST'], env }),
    opens: 'by-harness',
  };
}

/** Whole files that changed: blocks came with 2.46, servers after 15 with 2.47. */
const pgBackRestIncremental: DeltaContender = {
  id: 'pgbackrest',
  title: 'pgBackRest, incr',
  note: 'process-max = lanes of tsbk, --type=incr: copies every file that changed',
  absent: pgBackRest.absent,
  excluded: (version) =>
    version > 15 ? 'the distribution’s pgBackRest knows servers up to 15' : undefined,
  open: openPgBackRest,
};

function openPgBackRest(site: Site): DeltaSession {
  const run = pgBackRestIn(site);
  return {
    prepare: run(['stanza-create']),
    archivePush: run(['archive-push']),
    archiveGet: run(['archive-get']),
    full: run(['backup', '--type=full']),
    delta: run(['backup', '--type=incr']),
    restore: (directory) => run(['restore', `--pg1-path=${directory}`]),
    opens: 'as-restored',
  };
}

/** Everyone who can take part, in the order of the report. */
export const DELTA_CONTENDERS: readonly DeltaContender[] = [
  tsbkBy(
    'server',
    'PostgreSQL itself sends the blocks that changed (17 and later)',
    needsSummaries,
  ),
  tsbkBy('summaries', 'reads the blocks that WAL summaries name (17 and later)', needsSummaries),
  tsbkBy('files', 'reads every page of the data directory and keeps those with a newer LSN'),
  tsbkBy('stream', 'takes a base backup by the protocol and keeps the pages with a newer LSN'),
  walGDelta,
  walGMapped,
  pgBackRestIncremental,
];
