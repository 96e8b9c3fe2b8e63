import { installedTsbk } from '@tsbk/test/support/tsbk';
import { connectionEnv, type Site } from '../../contenders/contender.ts';
import type { Command } from '../../measure/run-measured.ts';
import { MAX_STEPS, type DeltaContender, type DeltaSession } from '../delta-contender.ts';

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

/** One for each source. */
export const tsbkDeltas: readonly DeltaContender[] = [
  tsbkBy(
    'server',
    'PostgreSQL itself sends the blocks that changed (17 and later)',
    needsSummaries,
  ),
  tsbkBy('summaries', 'reads the blocks that WAL summaries name (17 and later)', needsSummaries),
  tsbkBy('files', 'reads every page of the data directory and keeps those with a newer LSN'),
  tsbkBy('stream', 'takes a base backup by the protocol and keeps the pages with a newer LSN'),
];
