/**
 * What PostgreSQL's own base backup leaves out (`excludeFiles`, `excludeDirContents` and `sendDir`
 * in the server's `basebackup.c`): what belongs to the running server, or is made anew.
 */

/** Files, wherever they are. A label in the directory is that of another backup. */
const FILES = new Set([
  '.DS_Store',
  'backup_label',
  'backup_manifest',
  'current_logfiles.tmp',
  'postgresql.auto.conf.tmp',
  'postmaster.opts',
  'postmaster.pid',
  'tablespace_map',
]);
/** Of temporary files and of files that each server makes for itself. */
const PREFIXES = ['pgsql_tmp', 'pg_internal.init'];

/** Directories, wherever they are, that are kept without their content. */
const EMPTIED = new Set([
  'pg_dynshmem',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
]);

/** Where relations lie. */
const DATABASE = /^(?:global|base\/\d+|pg_tblspc\/\d+\/PG_[^/]+\/\d+)$/;
const INIT_FORK = /^(\d+)_init$/;
const RELATION = /^(\d+)(?:_(?:fsm|vm))?(?:\.\d+)?$/;
const TEMPORARY = /^t\d+_\d+(?:_(?:fsm|vm|init))?(?:\.\d+)?$/;

/** Whether nothing of that name is backed up. */
export function isLeftOut(name: string): boolean {
  return FILES.has(name) || PREFIXES.some((prefix) => name.startsWith(prefix));
}

/** Whether of that name only an empty directory is backed up, also where it is a link to one. */
export function isEmptied(name: string): boolean {
  return EMPTIED.has(name);
}

/**
 * The names in a directory without temporary relations, and without all of unlogged ones but what
 * they are made from after a crash. `directory` is its path below the data directory.
 */
export function lastingRelations(directory: string, names: readonly string[]): readonly string[] {
  if (!DATABASE.test(directory)) return names;
  const unlogged = new Set(names.flatMap((name) => INIT_FORK.exec(name)?.[1] ?? []));
  return names.filter((name) => {
    const number = RELATION.exec(name)?.[1];
    return !TEMPORARY.test(name) && (number === undefined || !unlogged.has(number));
  });
}
