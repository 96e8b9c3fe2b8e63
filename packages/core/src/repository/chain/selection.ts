/** Which files of a cluster are wanted. Plain data. */
export interface Selection {
  /** By OID. Of a database that is not here, nothing is wanted but what every database begins with. */
  readonly databases: ReadonlyMap<number, SelectedDatabase>;
}

export interface SelectedDatabase {
  readonly name: string;
  /** Everything of it, whatever it is called. */
  readonly whole: boolean;
  /** Otherwise the files of these numbers, beside those of system relations. */
  readonly filenodes: ReadonlySet<number>;
  /** Whether anything of it was asked for. */
  readonly asked: boolean;
}

/** OIDs and file numbers below this are made by initdb (`FirstNormalObjectId`). */
export const FIRST_USER_OID = 16_384;

/** Files of relations: database, number, and any fork or segment. */
const RELATION_FILE = /^\/?(?:base|pg_tblspc\/\d+\/[^/]+)\/(\d+)\/(\d+)(?:[._].*)?$/;

/**
 * Whether a file is to be restored, by its name as in a tar or a manifest. What is no relation of a
 * database of users always is, and so are the relations that every database begins with.
 */
export function isWanted({ databases }: Selection, name: string): boolean {
  const match = RELATION_FILE.exec(name);
  if (match === null) return true;
  const [database, filenode] = [Number(match[1]), Number(match[2])];
  if (database < FIRST_USER_OID || filenode < FIRST_USER_OID) return true;
  const selected = databases.get(database);
  return selected !== undefined && (selected.whole || selected.filenodes.has(filenode));
}
