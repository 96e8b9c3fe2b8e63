import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { TreePath } from '../kernel/tree-path.ts';
import { ifThere } from './data-directory.ts';
import { isEmptied, isLeftOut, lastingRelations } from './left-out.ts';
import { pathBytes, TREE_ROOT } from '../format/tree-path.ts';

/** What of a data directory goes into a backup; `skipped` says what does not though it might. */
export type Listed =
  | { readonly kind: 'file'; readonly path: TreePath; readonly bytes: number }
  | { readonly kind: 'directory'; readonly path: TreePath }
  /** A link in `pg_tblspc` whose content is listed. */
  | { readonly kind: 'tablespace'; readonly oid: number }
  /** A link, pipe or socket. PostgreSQL does not back it up either. */
  | { readonly kind: 'skipped'; readonly path: TreePath };

export interface ListOptions {
  /** `server_version_num`. */
  readonly versionNumber: number;
  /** Of a tablespace, the directory that this server uses: `PG_17_202406281`. */
  readonly tablespaceFolder: string;
}

const VERSION_17 = 170_000;
const ENTRIES_PER_TURN = 500;
const PG_CONTROL = 'global/pg_control';

/**
 * Lists the data directory at `root` as PostgreSQL's own base backup would send it, each directory
 * before what is in it, `global/pg_control` left out. What vanishes meanwhile is not listed; what
 * appears may be. Memory is that of the names of the directories on the way down. Throws
 * `file-unreadable`.
 */
export async function* listDataDirectory(
  root: string,
  options: ListOptions,
): AsyncGenerator<Listed, void, undefined> {
  const tablespaces = tablespacesOf(root);
  let sinceTurn = 0;
  for (const listed of listBelow({ root, options, tablespaces })) {
    yield listed;
    sinceTurn += 1;
    // The calls are synchronous: signals and sockets get their turn in between.
    if (sinceTurn % ENTRIES_PER_TURN === 0) await nextTurn();
  }
}

interface Walk {
  readonly root: string;
  readonly options: ListOptions;
  readonly tablespaces: readonly TablespaceEntry[];
}

interface TablespaceEntry {
  readonly oid: string;
  /** Where its link leads; `undefined` for a directory in its place. */
  readonly target: string | undefined;
}

function* listBelow(walk: Walk): Generator<Listed, void, undefined> {
  const { tablespaces, options } = walk;
  yield* listDirectory(walk, TREE_ROOT);
  for (const { oid, target } of tablespaces) {
    if (target !== undefined) yield { kind: 'tablespace', oid: Number(oid) };
    yield* listDirectory(
      walk,
      child('pg_tblspc' as TreePath, `${oid}/${options.tablespaceFolder}`),
    );
  }
}

function* listDirectory(walk: Walk, path: TreePath): Generator<Listed, void, undefined> {
  const names = namesIn(walk.root, path);
  if (names === undefined) return;
  yield { kind: 'directory', path };
  for (const name of lastingRelations(path, names)) {
    if (isLeftOut(name)) continue;
    const below = child(path, name);
    if (below === 'pg_wal') yield* emptyWal(walk.options);
    else if (below === 'pg_tblspc') yield { kind: 'directory', path: below };
    else if (below !== PG_CONTROL) yield* listEntry(walk, below, name);
  }
}

function* listEntry(walk: Walk, path: TreePath, name: string): Generator<Listed, void, undefined> {
  const stats = ifThere(path, () => lstatSync(pathBytes(walk.root, path)));
  if (stats === undefined) return;
  if (isEmptied(name) && (stats.isDirectory() || stats.isSymbolicLink())) {
    yield { kind: 'directory', path };
  } else if (stats.isFile()) {
    yield { kind: 'file', path, bytes: stats.size };
  } else if (!stats.isDirectory()) {
    yield { kind: 'skipped', path };
  } else if (walk.tablespaces.some(({ target }) => target === `${walk.root}/${path}`)) {
    // A tablespace in the data directory itself comes with the tablespaces.
    yield { kind: 'directory', path };
  } else {
    yield* listDirectory(walk, path);
  }
}

/** Recovery fetches WAL from the archive: what lies here is of no use to it. */
function* emptyWal({ versionNumber }: ListOptions): Generator<Listed, void, undefined> {
  const summaries = versionNumber >= VERSION_17 ? ['pg_wal/summaries'] : [];
  for (const path of ['pg_wal', 'pg_wal/archive_status', ...summaries]) {
    yield { kind: 'directory', path: path as TreePath };
  }
}

function tablespacesOf(root: string): TablespaceEntry[] {
  const folder = 'pg_tblspc' as TreePath;
  const found: TablespaceEntry[] = [];
  for (const oid of (namesIn(root, folder) ?? []).filter((name) => /^\d+$/.test(name))) {
    const path = child(folder, oid);
    const stats = ifThere(path, () => lstatSync(pathBytes(root, path)));
    if (stats?.isSymbolicLink() === true) {
      const target = ifThere(path, () => readlinkSync(pathBytes(root, path), 'latin1'));
      if (target !== undefined) found.push({ oid, target });
    } else if (stats?.isDirectory() === true) {
      found.push({ oid, target: undefined });
    }
  }
  return found;
}

/** Each name one character a byte; `undefined` if the directory is gone. */
function namesIn(root: string, path: TreePath): string[] | undefined {
  return ifThere(path, () => readdirSync(pathBytes(root, path), { encoding: 'latin1' }));
}

function child(path: TreePath, name: string): TreePath {
  return (path === '' ? name : `${path}/${name}`) as TreePath;
}
