/**
 * Directories that PostgreSQL expects in a data directory. Backups may lack those whose content they
 * leave out: the server does not make all of them itself.
 */
const REQUIRED = [
  'base',
  'global',
  'pg_commit_ts',
  'pg_dynshmem',
  'pg_logical',
  'pg_logical/mappings',
  'pg_logical/snapshots',
  'pg_multixact',
  'pg_multixact/members',
  'pg_multixact/offsets',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_snapshots',
  'pg_stat',
  'pg_stat_tmp',
  'pg_subtrans',
  'pg_tblspc',
  'pg_twophase',
  'pg_wal',
  'pg_wal/archive_status',
  'pg_xact',
] as const;

const VERSION_17 = 170_000;

/** The directories for this version (`server_version_num`), parents first. */
export function requiredDirectories(versionNumber: number | undefined): readonly string[] {
  if (versionNumber === undefined || versionNumber < VERSION_17) return REQUIRED;
  return [...REQUIRED, 'pg_wal/summaries'];
}
