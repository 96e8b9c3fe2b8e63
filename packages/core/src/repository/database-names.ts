import {
  readJson,
  type JsonContainer,
  type JsonEvents,
  type JsonScalar,
} from '../format/json-stream.ts';
import type { ByteSource } from '../ports/bytes.ts';
import { filesMetadataKey } from './layout.ts';
import type { Repository, RunOptions } from './repository.ts';

/** A relation as `DatabasesByNames` has it. */
export interface NamedRelation {
  /** `schema.name` */
  readonly name: string;
  /** Absent in what WAL-G 3.0.0 to 3.0.3 wrote. */
  readonly oid: number | undefined;
  /** The number its files are called by; 0 for a partitioned table. */
  readonly filenode: number;
  /** Of the relation that this one stands under. */
  readonly owner: string | undefined;
}

export interface DatabaseNamesReader {
  /** A relation; those that stand under another one come before it. */
  onRelation(database: string, relation: NamedRelation): void;
  /** After all of its relations. */
  onDatabase(name: string, oid: number): void;
}

/**
 * Reads which databases and relations a backup has, as `files_metadata.json` streams by. What is
 * not as WAL-G writes it is passed over: then nothing is known by that name. Throws `record-invalid`
 * for what is no JSON.
 */
export async function readDatabaseNames(
  repository: Repository,
  backup: string,
  { signal, ...reader }: RunOptions & DatabaseNamesReader,
): Promise<void> {
  const what = filesMetadataKey(backup);
  const blob = await repository.store.get(what, { signal });
  if (blob !== undefined) await parseDatabaseNames(blob.body, { ...reader, what });
}

/** The same of the document itself. */
export async function parseDatabaseNames(
  document: ByteSource,
  { what, ...reader }: DatabaseNamesReader & { readonly what: string },
): Promise<void> {
  await readJson(document, { what, events: new NamesEvents(reader) });
}

/** Where in the path of keys what stands: section, database, its field, relation, … */
const DATABASE = 1;
const FIELD = 2;
const RELATION = 3;

interface Numbers {
  oid?: number;
  relfilenode?: number;
}

class NamesEvents implements JsonEvents {
  readonly #reader: DatabaseNamesReader;
  /** The key that leads to each object that is open, from the document's members on. */
  readonly #path: string[] = [];
  #depth = 0;
  /** What the innermost open objects say of themselves, by depth. */
  readonly #numbers: Numbers[] = [];

  constructor(reader: DatabaseNamesReader) {
    this.#reader = reader;
  }

  open(_kind: JsonContainer): void {
    this.#depth += 1;
    this.#numbers[this.#depth] = {};
  }

  close(): void {
    this.#depth -= 1;
    const path = this.#path.slice(0, this.#depth);
    if (!isNames(path)) return;
    const { oid, relfilenode: filenode } = this.#numbers[this.#depth + 1] ?? {};
    if (filenode !== undefined) this.#relation(path, { oid, filenode });
    const [, database = ''] = path;
    if (path.length === DATABASE + 1 && oid !== undefined) this.#reader.onDatabase(database, oid);
  }

  #relation(
    [, database = '', field, name = '', below, lower = '', ...deeper]: readonly string[],
    found: Pick<NamedRelation, 'oid' | 'filenode'>,
  ): void {
    if (field?.toLowerCase() !== 'tables_new' || deeper.length > 0) return;
    if (below === undefined) {
      this.#reader.onRelation(database, { ...found, name, owner: undefined });
    } else if (below.toLowerCase() === 'subtables') {
      this.#reader.onRelation(database, { ...found, name: lower, owner: name });
    }
  }

  key(name: string): void {
    this.#path[this.#depth - 1] = name;
  }

  value(value: JsonScalar): void {
    if (typeof value !== 'number' || !isNames(this.#path)) return;
    const numbers = this.#numbers[this.#depth];
    const [, database = '', field = ''] = this.#path;
    const key = this.#path[this.#depth - 1] ?? '';
    if (this.#depth === RELATION + 1 && field.toLowerCase() === 'tables') {
      const relation = { name: key, oid: undefined, filenode: value, owner: undefined };
      return this.#reader.onRelation(database, relation);
    }
    if (numbers === undefined || this.#depth <= FIELD) return;
    if (key.toLowerCase() === 'oid') numbers.oid = value;
    if (key.toLowerCase() === 'relfilenode') numbers.relfilenode = value;
  }
}

function isNames([section = '']: readonly string[]): boolean {
  return section.toLowerCase() === 'databasesbynames';
}
