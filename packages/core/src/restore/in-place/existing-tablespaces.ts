import { lstat, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { TsbkError } from '../../kernel/errors.ts';
import type { FoundMark } from '../incomplete-mark.ts';
import type { PlanWarning } from '../plan.ts';

/** A tablespace of the backup, and what there is where it shall go. */
export interface FoundTablespace {
  readonly oid: string;
  /** Absolute, links resolved. */
  readonly location: string;
  readonly isOccupied: boolean;
}

interface JudgedTablespaces {
  readonly problems: readonly TsbkError[];
  readonly warnings: readonly PlanWarning[];
}

/**
 * Whether the tablespaces of a data directory lie where the backup's shall go. What the plan names
 * and the directory does not lead to belongs to somebody else, unless a mark says that an
 * interrupted restore has made it.
 */
export async function judgeTablespaces(
  root: string,
  found: { readonly tablespaces: readonly FoundTablespace[]; readonly mark: FoundMark | undefined },
): Promise<JudgedTablespaces> {
  const links = await linksOf(root);
  const problems: TsbkError[] = [];
  for (const { oid, location, isOccupied } of found.tablespaces) {
    const link = links.get(oid);
    links.delete(oid);
    if (location.startsWith(`${root}/`) || (await isDirectory(root, oid)))
      problems.push(inside(oid, location));
    else if (link !== undefined && link !== location) problems.push(elsewhere(oid, link, location));
    else if (link === undefined && isOccupied && found.mark?.names(location) !== true) {
      problems.push(foreign(oid, location));
    }
  }
  const warnings = [...links].map(([oid, location]) => ({
    code: 'tablespace-left',
    text: `tablespace ${oid} is not in the backup: its link is removed, what is in ${location} stays`,
  }));
  return { problems, warnings };
}

/** Some servers have tablespaces for tests that are no links (`allow_in_place_tablespaces`). */
async function isDirectory(root: string, oid: string): Promise<boolean> {
  return await lstat(join(root, 'pg_tblspc', oid)).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

/** Where the links in `pg_tblspc` lead, by their names; without those that lead nowhere. */
async function linksOf(root: string): Promise<Map<string, string>> {
  const folder = join(root, 'pg_tblspc');
  const links = new Map<string, string>();
  for (const oid of (await readdir(folder).catch(() => [])).filter((name) => /^\d+$/.test(name))) {
    const path = join(folder, oid);
    if (!(await lstat(path)).isSymbolicLink()) continue;
    const location = await realpath(path).catch(() => undefined);
    if (location !== undefined) links.set(oid, location);
  }
  return links;
}

function inside(oid: string, location: string): TsbkError {
  return refused(`tablespace ${oid} lies inside the data directory (${location})`, {
    hint: 'Such a cluster is restored into an empty directory only.',
  });
}

function elsewhere(oid: string, link: string, location: string): TsbkError {
  return refused(`tablespace ${oid} is at ${link} and shall go to ${location}`, {
    hint: `To restore it where it is, say --tablespace-mapping ${oid}=${link}.`,
  });
}

function foreign(oid: string, location: string): TsbkError {
  return refused(
    `tablespace ${oid}: ${location} is not empty, and no tablespace of this directory`,
    {
      hint: 'Give it another directory with --tablespace-mapping.',
    },
  );
}

function refused(message: string, hint: { readonly hint: string }): TsbkError {
  return new TsbkError('target-not-empty', message, hint);
}
