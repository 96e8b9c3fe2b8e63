import { installedTsbk } from '@tsbk/test/support/tsbk';
import { connectionEnv, type Site } from '../../contenders/contender.ts';
import type { Command } from '../../measure/run-measured.ts';
import { MAX_STEPS, type DeltaContender, type DeltaSession } from '../delta-contender.ts';

const WITH_SUMMARIES = 17;

function needsSummaries(version: number): string | undefined {
  return version < WITH_SUMMARIES ? 'PostgreSQL summarizes WAL from 17 on' : undefined;
}

interface Way {
  readonly id: string;
  /** As `TSBK_DELTA_SOURCE` names it. */
  readonly source: 'server' | 'stream' | 'files' | 'summaries';
  readonly note: string;
  readonly excluded?: DeltaContender['excluded'];
  /** For the delta alone. */
  readonly options?: readonly string[];
}

function tsbkBy({ id, source, note, excluded, options = [] }: Way): DeltaContender {
  const readsFiles = source === 'files' || source === 'summaries';
  return {
    id: `tsbk-${id}`,
    title: `tsbk, ${id}`,
    note,
    absent: () => undefined,
    excluded: excluded ?? (() => undefined),
    open: (site) => openTsbk(site, { source, options }, readsFiles ? [site.server.dataDir] : []),
  };
}

function openTsbk(
  site: Site,
  { source, options }: Required<Pick<Way, 'source' | 'options'>>,
  place: readonly string[],
): DeltaSession {
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
    delta: push(options),
    restore: (directory) => ({ program: cli, args: ['backup-fetch', directory, 'LATEST'], env }),
    opens: 'as-restored',
  };
}

/** One for each source, and what reads files as WAL-G does, without looking at page checksums. */
export const tsbkDeltas: readonly DeltaContender[] = [
  tsbkBy({
    id: 'server',
    source: 'server',
    note: 'PostgreSQL itself sends the blocks that changed (17 and later)',
    excluded: needsSummaries,
  }),
  tsbkBy({
    id: 'summaries',
    source: 'summaries',
    note: 'reads the blocks that WAL summaries name (17 and later)',
    excluded: needsSummaries,
  }),
  tsbkBy({
    id: 'files',
    source: 'files',
    note: 'reads every page of the data directory, verifies it, and keeps those with a newer LSN',
  }),
  tsbkBy({
    id: 'files-unverified',
    source: 'files',
    note: 'the same with --no-verify: WAL-G verifies no page either unless asked',
    options: ['--no-verify'],
  }),
  tsbkBy({
    id: 'stream',
    source: 'stream',
    note: 'takes a base backup by the protocol and keeps the pages with a newer LSN',
  }),
];
