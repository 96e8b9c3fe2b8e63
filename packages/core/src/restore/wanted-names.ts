import type { FilesMetadata } from '../repository/files-metadata.ts';
import type { PlannedTar } from './plan.ts';

/**
 * Names of the members of each tar that are to be restored; `undefined` means all of them, and is
 * the answer where tsbk made the tar: its hash proves that it holds nothing else. What WAL-G's
 * records do not list, WAL-G does not restore. A tar gets only its own names, so that a million
 * files are not a million names for every tar, if the records list each file in some tar;
 * otherwise (WAL-G's remote backups) every tar gets all names.
 */
export function wantedNames(
  records: FilesMetadata | undefined,
): (tar: Pick<PlannedTar, 'name' | 'record'>) => ReadonlySet<string> | undefined {
  if (records === undefined) return () => undefined;
  const { files, tars } = records;
  const isListed = (name: string): boolean => files.has(name);
  let listed = 0;
  for (const names of tars.values()) listed += names.filter(isListed).length;
  const isComplete = listed >= files.size;
  let all: ReadonlySet<string> | undefined;
  return ({ name, record }) => {
    if (record !== undefined) return undefined;
    const own = isComplete ? tars.get(name) : undefined;
    if (own !== undefined) return new Set(own.filter(isListed));
    all ??= new Set(files.keys());
    return all;
  };
}
