import { lstatSync, readdirSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { TreePath } from '../kernel/tree-path.ts';
import type { TreePlace } from '../ports/extract.ts';
import { ifThere } from './data-directory.ts';
import { locate, TABLESPACE_PATH } from './locate.ts';
import { pathBytes, TREE_ROOT } from '../format/tree-path.ts';

/** What lies in a data directory or in one of its tablespaces. */
export interface WalkedEntry {
  readonly path: TreePath;
  /** Its bytes for the operating system. */
  readonly at: Buffer;
  /** `other`: a link, pipe or socket. `left`: a directory of which everything has been given. */
  readonly kind: 'file' | 'directory' | 'left' | 'other';
  /** Length of a file. */
  readonly bytes: number;
  /** Permission bits. */
  readonly mode: number;
  /** Its owner. */
  readonly uid: number;
  /** How many names a file has. */
  readonly names: number;
}

const ENTRIES_PER_TURN = 500;
/** The root of a file system, in case a place is one. Nobody but root may look into it. */
const NOT_OURS = 'lost+found';

/**
 * Gives everything below a data directory, and of its tablespaces what is in the folders of this
 * major version, which others may share; each directory before and after what is in it. Links are
 * given and not followed: where tablespaces and `pg_wal` lie the place says. What is given may be
 * removed before the next is asked for. Memory is that of the names on the way down. Throws
 * `file-unreadable`.
 */
export async function* walkTree(
  place: TreePlace,
  major: number,
): AsyncGenerator<WalkedEntry, void, undefined> {
  let sinceTurn = 0;
  for (const entry of walkAll(place, major)) {
    yield entry;
    sinceTurn += 1;
    // The calls are synchronous: signals get their turn in between.
    if (sinceTurn % ENTRIES_PER_TURN === 0) await nextTurn();
  }
}

function* walkAll(place: TreePlace, major: number): Generator<WalkedEntry, void, undefined> {
  yield* walkBelow(place, TREE_ROOT);
  if (place.walLocation !== undefined) yield* walkEntry(place, 'pg_wal' as TreePath);
  for (const oid of place.tablespaces.keys()) {
    const path = `pg_tblspc/${oid}` as TreePath;
    const names = namesIn(place, path).filter((name) => name.startsWith(`PG_${major}_`));
    for (const name of names) yield* walkEntry(place, `${path}/${name}` as TreePath);
  }
}

function* walkBelow(place: TreePlace, path: TreePath): Generator<WalkedEntry, void, undefined> {
  for (const name of namesIn(place, path)) {
    if (name === NOT_OURS) continue;
    const below = (path === TREE_ROOT ? name : `${path}/${name}`) as TreePath;
    if (isElsewhere(place, below)) continue;
    yield* walkEntry(place, below);
  }
}

function* walkEntry(place: TreePlace, path: TreePath): Generator<WalkedEntry, void, undefined> {
  const isTablespace = isPlanned(place, path);
  // The link, which lies here, and not what it leads to: that comes by itself.
  const at = isTablespace ? pathBytes(place.root, path) : locate(place, path);
  const stats = ifThere(path, () => lstatSync(at));
  if (stats === undefined || (isTablespace && stats.isDirectory())) return;
  const { size: bytes, uid, nlink: names } = stats;
  const entry = { path, at, bytes, mode: stats.mode & 0o777, uid, names };
  if (stats.isFile()) yield { ...entry, kind: 'file' };
  else if (!stats.isDirectory()) yield { ...entry, kind: 'other' };
  else {
    yield { ...entry, kind: 'directory' };
    yield* walkBelow(place, path);
    yield { ...entry, kind: 'left' };
  }
}

function isPlanned({ tablespaces }: TreePlace, path: TreePath): boolean {
  const match = TABLESPACE_PATH.exec(path);
  return match !== null && match[0] === path && tablespaces.has(match[1] ?? '');
}

/** `pg_wal` where it is a link: what is in it comes by itself. */
function isElsewhere({ walLocation }: TreePlace, path: TreePath): boolean {
  return path === 'pg_wal' && walLocation !== undefined;
}

/** Each name one character a byte. */
function namesIn(place: TreePlace, path: TreePath): string[] {
  return ifThere(path, () => readdirSync(locate(place, path), { encoding: 'latin1' })) ?? [];
}
