import { TsbkError } from '../kernel/errors.ts';
import type { WantedName } from '../restore/partial/wanted-names.ts';

/** What is to be taken out of one database. */
export interface WantedDatabase {
  readonly database: string;
  /** All of it, whatever else is named. */
  readonly whole: boolean;
  readonly schemas: readonly string[];
  readonly tables: readonly WantedTable[];
}

export interface WantedTable {
  readonly schema: string;
  readonly table: string;
}

export interface WantedTexts {
  readonly databases: readonly string[];
  readonly schemas: readonly string[];
  readonly tables: readonly string[];
}

const QUOTES = 'A name with a dot in it stands in double quotes.';

/** Reads `--database`, `--schema` and `--table`. Names are as in the catalogs. Throws `usage`. */
export function parseWantedObjects(texts: WantedTexts): readonly WantedDatabase[] {
  const found = new Map<string, WantedDatabase>();
  const add = (database: string, more: Partial<WantedDatabase>): void => {
    const before = found.get(database) ?? { database, whole: false, schemas: [], tables: [] };
    found.set(database, {
      database,
      whole: before.whole || more.whole === true,
      schemas: [...before.schemas, ...(more.schemas ?? [])],
      tables: [...before.tables, ...(more.tables ?? [])],
    });
  };
  for (const text of texts.databases) add(text, { whole: true });
  for (const text of texts.schemas) {
    const [database = '', schema = ''] = partsOf(text, ['database', 'schema']);
    add(database, { schemas: [schema] });
  }
  for (const text of texts.tables) {
    const [database = '', schema = '', table = ''] = partsOf(text, ['database', 'schema', 'table']);
    add(database, { tables: [{ schema, table }] });
  }
  const wanted = [...found.values()];
  const mixed = wanted.find(
    ({ whole, schemas, tables }) => !whole && schemas.length > 0 && tables.length > 0,
  );
  if (mixed !== undefined) {
    throw new TsbkError('usage', `--table and --schema of ${mixed.database} do not go together`, {
      hint: 'pg_dump takes one or the other: run extract twice.',
    });
  }
  if (wanted.length > 0) return wanted;
  throw new TsbkError('usage', 'extract needs --table, --schema or --database', {
    hint: 'For example --table shop.public.orders.',
  });
}

/** The same as names of a restore, if no name has a character that means something there. */
export function namesToRestore(
  wanted: readonly WantedDatabase[],
): readonly WantedName[] | undefined {
  const names = wanted.flatMap(({ database, whole, schemas, tables }): WantedName[] => {
    if (whole) return [{ text: database, database, relation: undefined }];
    return [
      ...schemas.map((schema) => ({
        text: `${database}.${schema}`,
        database,
        relation: `${schema}.*`,
      })),
      ...tables.map(({ schema, table }) => ({
        text: `${database}.${schema}.${table}`,
        database,
        relation: `${schema}.${table}`,
      })),
    ];
  });
  const plain = wanted.flatMap(({ database, schemas }) => [database, ...schemas]);
  const tables = wanted.flatMap((one) => one.tables.map(({ schema, table }) => schema + table));
  return [...plain, ...tables].some((name) => name.includes('*')) ? undefined : names;
}

/** Between dots; in double quotes, where a quote is doubled, a dot is a letter. */
function partsOf(text: string, wanted: readonly string[]): readonly string[] {
  const word = String.raw`(?:"(?:[^"]|"")+"|[^".]+)`;
  const words = new RegExp(String.raw`^${word}(?:\.${word})*$`).test(text)
    ? [...text.matchAll(new RegExp(word, 'g'))].map(([part]) => unquoted(part))
    : [];
  if (words.length === wanted.length) return words;
  const option = wanted.at(-1) ?? '';
  throw new TsbkError('usage', `--${option} ${text} is not ${wanted.join('.')}`, { hint: QUOTES });
}

function unquoted(part: string): string {
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part;
}
