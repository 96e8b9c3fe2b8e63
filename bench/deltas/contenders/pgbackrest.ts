import { spawnSync } from 'node:child_process';
import type { Site } from '../../contenders/contender.ts';
import { pgBackRest, pgBackRestIn } from '../../contenders/pgbackrest.ts';
import type { DeltaContender, DeltaSession } from '../delta-contender.ts';

/** From which minor release of pgBackRest 2 on it knows servers of a major version. */
const SERVERS: readonly (readonly [minor: number, server: number])[] = [
  [57, 18],
  [54, 17],
  [47, 16],
  [0, 15],
];
const WITH_BLOCKS = 46;

/** Whole files that changed. */
export const pgBackRestIncremental: DeltaContender = {
  id: 'pgbackrest',
  title: 'pgBackRest, incr',
  note: 'process-max = lanes of tsbk, --type=incr: copies every file that changed',
  absent: pgBackRest.absent,
  excluded: unknownServer,
  open: (site) => openPgBackRest(site, []),
};

/** Blocks of files, many in one object. */
export const pgBackRestBlocks: DeltaContender = {
  id: 'pgbackrest-block',
  title: 'pgBackRest, block incr',
  note: 'the same with repo-bundle and repo-block: reads every file that changed, copies its changed blocks',
  absent: pgBackRest.absent,
  excluded: (version) =>
    minorRelease() < WITH_BLOCKS
      ? `pgBackRest has block incrementals from 2.${WITH_BLOCKS} on`
      : unknownServer(version),
  open: (site) => openPgBackRest(site, ['repo1-bundle=y', 'repo1-block=y']),
};

function unknownServer(version: number): string | undefined {
  const minor = minorRelease();
  const [, newest = 0] = SERVERS.find(([since]) => minor >= since) ?? [];
  return version > newest
    ? `pgBackRest 2.${minor} knows servers up to PostgreSQL ${newest}`
    : undefined;
}

function minorRelease(): number {
  const { stdout } = spawnSync('pgbackrest', ['version'], { encoding: 'utf8' });
  return Number(/ 2\.(\d+)/.exec(stdout ?? '')?.[1] ?? 0);
}

function openPgBackRest(site: Site, options: readonly string[]): DeltaSession {
  const run = pgBackRestIn(site, options);
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
