import type { FileEntry } from '../repository/files-metadata.ts';
import { readFilesMetadata } from '../repository/files-metadata.ts';
import { readDatabaseNames } from '../repository/database-names.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { matches, type WantedName } from '../restore/partial/wanted-names.ts';
import { FIRST_USER_OID, isWanted, type Selection } from '../repository/chain/selection.ts';

/** How much of the cluster is restored: only relations that are named, their databases, or all. */
export type Scope =
  | { readonly kind: 'relations' | 'databases'; readonly only: readonly WantedName[] }
  | { readonly kind: 'all' };

/** A restore left out what is needed: tried again with the next scope, which has more. */
export class ScopeTooNarrow extends Error {}

/**
 * The scopes to try, the narrowest first and always `all` at last. Names are those at the time of
 * the backup, so a name that it does not have may be one that was given later: what is not known by
 * name is not left out. Of relations alone only where tsbk recorded what belongs to each.
 */
export async function chooseScopes(
  repository: Repository,
  backup: { readonly name: string; readonly isOwn: boolean },
  names: readonly WantedName[] | undefined,
  { signal }: RunOptions,
): Promise<readonly Scope[]> {
  if (names === undefined) return [{ kind: 'all' }];
  const found = new Set<WantedName>();
  const databases = new Set<string>();
  await readDatabaseNames(repository, backup.name, {
    signal,
    onRelation: (database, { name }) => {
      for (const wanted of names) {
        const isOf = wanted.database === database && wanted.relation !== undefined;
        if (isOf && matches(wanted.relation ?? '', name)) found.add(wanted);
      }
    },
    onDatabase: (name) => databases.add(name),
  });
  if (!names.every(({ database }) => databases.has(database))) return [{ kind: 'all' }];
  const whole = [...new Set(names.map(({ database }) => database))].map((database) => ({
    text: database,
    database,
    relation: undefined,
  }));
  const wider: readonly Scope[] = [{ kind: 'databases', only: whole }, { kind: 'all' }];
  const relations = names.filter(({ relation }) => relation !== undefined);
  const isKnown = backup.isOwn && relations.length > 0 && relations.every((one) => found.has(one));
  return isKnown ? [{ kind: 'relations', only: names }, ...wider] : wider;
}

/**
 * Makes sure that nothing that is read was left out of the restore: by now a relation may have
 * another name than in the backup, and what recovery made of a file that was not there looks like
 * a table with some of its rows. A file that the backup does not have was made later, and recovery
 * has all of it. Throws `ScopeTooNarrow`.
 */
export async function requireInScope(
  repository: Repository,
  restored: { readonly backup: string; readonly selection: Selection | undefined },
  read: { readonly databases: readonly number[]; readonly paths: ReadonlySet<string> },
  { signal }: RunOptions,
): Promise<void> {
  const { backup, selection } = restored;
  if (selection === undefined) return;
  // A database that was made later may be a copy, file by file, of one that is not there.
  if (!read.databases.every((oid) => oid < FIRST_USER_OID || selection.databases.has(oid))) {
    throw new ScopeTooNarrow('a database was made after the backup, or had another name');
  }
  const leftOut: string[] = [];
  const onFile = ({ name }: FileEntry): void => {
    const path = name.replace(/^\//, '');
    const isRead = read.paths.has(path) && !isWanted(selection, path);
    if (isRead && leftOut.length === 0) leftOut.push(path);
  };
  await readFilesMetadata(repository, backup, { signal, onFile });
  const [path] = leftOut;
  if (path !== undefined) throw new ScopeTooNarrow(`${path} was not restored and is needed`);
}
