import { stageForServerUser } from '@tsbk/test/support/postgres';
import { connectionEnv, type Site } from '../../contenders/contender.ts';
import { walG, walGProgram } from '../../contenders/wal-g.ts';
import type { Command } from '../../measure/run-measured.ts';
import { MAX_STEPS, type DeltaContender, type DeltaSession } from '../delta-contender.ts';

/** Its maps of changed blocks need a server before 14; without them it reads every page. */
export const walGDelta: DeltaContender = {
  id: 'wal-g',
  title: 'WAL-G',
  note: 'wal-g backup-push PGDATA with WALG_DELTA_MAX_STEPS: reads every page of the data directory',
  absent: walG.absent,
  excluded: () => undefined,
  open: (site) => openWalG(site, {}),
};

export const walGMapped: DeltaContender = {
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
