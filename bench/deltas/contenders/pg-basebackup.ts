import { execFileSync } from 'node:child_process';
import { clientTool } from '@tsbk/test/support/postgres';
import { connectionEnv, type Site } from '../../contenders/contender.ts';
import type { Command } from '../../measure/run-measured.ts';
import type { DeltaContender, DeltaSession } from '../delta-contender.ts';

const WITH_INCREMENTS = 17;

/**
 * PostgreSQL's own tools. Backups stay directories that are not compressed, because `pg_combinebackup`
 * reads nothing else.
 */
export const pgBasebackupIncremental: DeltaContender = {
  id: 'pg_basebackup',
  title: 'pg_basebackup --incremental',
  note: 'plain directories, not compressed, with the WAL they need; restored by pg_combinebackup',
  absent: () =>
    newestRelease() < WITH_INCREMENTS
      ? `install pg_basebackup and pg_combinebackup of PostgreSQL ${WITH_INCREMENTS}, below /usr/lib/postgresql`
      : undefined,
  excluded: (version) =>
    version < WITH_INCREMENTS || version > newestRelease()
      ? `it takes increments of PostgreSQL ${WITH_INCREMENTS} to its own version`
      : undefined,
  open,
};

/** Of the installed `pg_combinebackup`; 0 if there is none. */
function newestRelease(): number {
  const program = clientTool('pg_combinebackup');
  if (program === undefined) return 0;
  const version = execFileSync(program, ['--version']).toString();
  return Number(/\(PostgreSQL\) (\d+)/.exec(version)?.[1] ?? 0);
}

const TAKE = `set -eu
count=$(ls "$1" | wc -l)
if [ "$3" = full ]; then rm -rf "$1"/*; count=0; set -- "$1" "$2"
else set -- "$1" "$2" "--incremental=$1/$((count - 1))/backup_manifest"; fi
exec "$2" "--pgdata=$1/$count" --checkpoint=fast \${3+"$3"}`;

const COMBINE = `set -eu
cd "$1"
exec "$2" "--output=$3" $(ls | sort -n)`;

function open(site: Site): DeltaSession {
  const root = `${site.repository.env['WALG_FILE_PREFIX']}`;
  const take = (kind: 'full' | 'delta'): Command => ({
    program: '/bin/bash',
    args: ['-c', TAKE, 'take', root, clientTool('pg_basebackup') ?? '', kind],
    env: connectionEnv(site.server),
  });
  return {
    full: take('full'),
    delta: take('delta'),
    restore: (directory) => ({
      program: '/bin/bash',
      args: ['-c', COMBINE, 'combine', root, clientTool('pg_combinebackup') ?? '', directory],
      env: {},
    }),
    opens: 'alone',
  };
}
