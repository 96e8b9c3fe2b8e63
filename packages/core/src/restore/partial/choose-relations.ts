import { TsbkError } from '../../kernel/errors.ts';
import { readDatabaseNames, type NamedRelation } from '../../repository/database-names.ts';
import type { Repository, RunOptions } from '../../repository/repository.ts';
import { nearestOf } from './near-names.ts';
import {
  FIRST_USER_OID,
  type SelectedDatabase,
  type Selection,
} from '../../repository/chain/selection.ts';
import { matches, type WantedName } from './wanted-names.ts';

/**
 * Finds the files of databases and relations by their names at the time of a backup. As WAL-G has
 * it, system relations are wanted of every database, so that one can connect and drop what is not
 * there; with a table comes what the record has under it. A table's TOAST table is wanted, too,
 * where it can be told. Throws `usage`, with the nearest names, for a name that the backup does not
 * have.
 */
export async function chooseRelations(
  repository: Repository,
  backup: string,
  wanted: readonly WantedName[],
  { signal }: RunOptions,
): Promise<Selection> {
  const databases = new Map<number, SelectedDatabase>();
  const found = new Set<WantedName>();
  let current: Chooser | undefined;
  let count = 0;
  await readDatabaseNames(repository, backup, {
    signal,
    onRelation: (database, relation) => {
      current ??= new Chooser(database, wanted);
      for (const name of current.relation(relation)) found.add(name);
    },
    onDatabase: (name, oid) => {
      count += 1;
      const chooser = current ?? new Chooser(name, wanted);
      current = undefined;
      for (const whole of chooser.whole) found.add(whole);
      databases.set(oid, chooser.selected());
    },
  });
  if (count === 0) throw withoutNames(backup);
  const missing = wanted.find((name) => !found.has(name));
  if (missing !== undefined) {
    const near = await nearestOf(repository, backup, missing, { signal });
    throw unknown(backup, missing, near);
  }
  return { databases };
}

const TOAST = /^pg_toast\.pg_toast_(\d+)(?:_index)?$/;
const SYSTEM_SCHEMA = /^(?:pg_catalog|information_schema)\./;

/** What is wanted of one database, while its relations come by. */
class Chooser {
  /** The names that ask for all of it. */
  readonly whole: readonly WantedName[];
  readonly #database: string;
  readonly #wanted: readonly WantedName[];
  readonly #filenodes = new Set<number>();
  /** Relations that were asked for. */
  readonly #tables = new Set<number>();
  /** Files of TOAST tables and their indexes, by the table they are of. */
  readonly #toast = new Map<number, number[]>();
  /** Files of what stands under the next relation. */
  #below: number[] = [];

  constructor(database: string, wanted: readonly WantedName[]) {
    const here = wanted.filter((name) => matches(name.database, database));
    this.#database = database;
    this.whole = here.filter(({ relation }) => relation === undefined);
    this.#wanted = here.filter(({ relation }) => relation !== undefined);
  }

  /** Takes a relation and gives the names that it answers. */
  relation(relation: NamedRelation): readonly WantedName[] {
    const { name, filenode, owner } = relation;
    if (owner !== undefined) {
      this.#below.push(filenode);
      return [];
    }
    const below = this.#below;
    this.#below = [];
    if (this.whole.length > 0) return [];
    if (isSystem(relation)) this.#filenodes.add(filenode);
    // Before 3.0.4 WAL-G did not record it; it is the file's until the table is rewritten.
    const oid = relation.oid ?? filenode;
    this.#noteToast(name, filenode);
    const answered = this.#wanted.filter((one) => matches(one.relation ?? '', name));
    if (answered.length === 0) return [];
    this.#tables.add(oid);
    for (const number of [filenode, ...below]) this.#filenodes.add(number);
    return answered;
  }

  selected(): SelectedDatabase {
    for (const oid of this.#tables) {
      for (const filenode of this.#toast.get(oid) ?? []) this.#filenodes.add(filenode);
    }
    const asked = this.whole.length > 0 || this.#tables.size > 0;
    const whole = this.whole.length > 0;
    return { name: this.#database, whole, filenodes: this.#filenodes, asked };
  }

  #noteToast(name: string, filenode: number): void {
    const table = TOAST.exec(name)?.[1];
    if (table === undefined || this.#wanted.length === 0) return;
    this.#toast.set(Number(table), [...(this.#toast.get(Number(table)) ?? []), filenode]);
  }
}

/** System relations may have been rewritten, which gives them files with numbers of users. */
function isSystem({ name, oid, filenode }: NamedRelation): boolean {
  if (filenode < FIRST_USER_OID) return false;
  if (oid !== undefined) return oid < FIRST_USER_OID;
  const table = TOAST.exec(name)?.[1];
  return SYSTEM_SCHEMA.test(name) || (table !== undefined && Number(table) < FIRST_USER_OID);
}

function withoutNames(backup: string): TsbkError {
  return new TsbkError('usage', `${backup} does not record how its tables are called`, {
    hint: 'WAL-G records it for backups of a local directory, tsbk wherever it may connect to the databases. Restore all of it, or choose another backup.',
  });
}

function unknown(backup: string, { text }: WantedName, near: readonly string[]): TsbkError {
  const hint =
    near.length === 0
      ? 'Names are those at the time of the backup.'
      : `Names are those at the time of the backup. Near it are: ${near.join(', ')}.`;
  return new TsbkError('usage', `${backup} has no ${text}`, { hint });
}
