import { TsbkError } from '../kernel/errors.ts';
import type { SqlSession } from '../postgres/sql-session.ts';
import type { WantedDatabase, WantedTable } from './wanted-objects.ts';

/** What there is of the wanted objects at the recovery target. */
export interface FoundObjects {
  readonly databaseOid: number;
  /** With their partitions and children. */
  readonly tables: readonly WantedTable[];
  /** Of every file that reading them touches, below the data directory. */
  readonly paths: readonly string[];
  /** Tables whose rows are in no backup. */
  readonly unlogged: readonly string[];
}

/** Kinds that pg_dump takes by --table. */
const KINDS = `'r', 'p', 'v', 'm', 'f', 'S'`;

/** Of the wanted relations, OIDs in $1, and all that reading them touches. */
const FILES = `
  with recursive kin(oid) as (
    select unnest($1::oid[])
    union
    select i.inhrelid from kin k join pg_catalog.pg_inherits i on i.inhparent = k.oid
  ), heap as (
    select oid from kin
    union
    select c.reltoastrelid from kin k join pg_catalog.pg_class c on c.oid = k.oid
    where c.reltoastrelid <> 0
  ), used as (
    select oid from heap
    union
    select i.indexrelid from heap h join pg_catalog.pg_index i on i.indrelid = h.oid
    union
    select d.objid from kin k join pg_catalog.pg_depend d
      on d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = k.oid
      and d.classid = 'pg_catalog.pg_class'::regclass and d.deptype in ('a', 'i')
      join pg_catalog.pg_class s on s.oid = d.objid and s.relkind = 'S'
  )
  select n.nspname as schema, c.relname as name, pg_catalog.pg_relation_filepath(c.oid) as path,
    (c.relpersistence = 'u')::text as unlogged,
    (k.oid is not null and c.relkind in (${KINDS}))::text as dumped
  from used u join pg_catalog.pg_class c on c.oid = u.oid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    left join kin k on k.oid = u.oid`;

/**
 * Looks the wanted objects up in the database that the session is in. Throws `object-unknown` for
 * one that is not there, with names like it.
 */
export async function findObjects(
  session: SqlSession,
  { database, whole, schemas, tables }: WantedDatabase,
): Promise<FoundObjects> {
  const [row] = await session.query<{ oid: string }>(
    'select oid::text from pg_catalog.pg_database where datname = current_database()',
  );
  const databaseOid = Number(row?.oid);
  const oids: string[] = [];
  for (const schema of schemas) oids.push(...(await oidsOfSchema(session, database, schema)));
  for (const table of tables) oids.push(await oidOfTable(session, database, table));
  if (whole) oids.push(...(await allOids(session)));
  const rows = await session.query<FileRow>(FILES, [`{${oids.join(',')}}`]);
  const dumped = rows.filter((one) => one.dumped === 'true');
  return {
    databaseOid,
    // A schema is dumped as such.
    tables: tables.length === 0 ? [] : dumped.map(({ schema, name }) => ({ schema, table: name })),
    paths: rows.flatMap(({ path }) => path ?? []),
    unlogged: dumped
      .filter(({ unlogged }) => unlogged === 'true')
      .map(({ schema, name }) => `${schema}.${name}`),
  };
}

interface FileRow {
  readonly [column: string]: string | null;
  readonly schema: string;
  readonly name: string;
  readonly path: string | null;
  readonly unlogged: string;
  readonly dumped: string;
}

async function allOids(session: SqlSession): Promise<readonly string[]> {
  const rows = await session.query<{ oid: string }>(
    `select oid::text from pg_catalog.pg_class where relkind in (${KINDS}) and oid >= 16384`,
  );
  return rows.map(({ oid }) => oid);
}

async function oidsOfSchema(
  session: SqlSession,
  database: string,
  schema: string,
): Promise<readonly string[]> {
  const [found] = await session.query(
    'select 1::text as there from pg_catalog.pg_namespace where nspname = $1',
    [schema],
  );
  if (found === undefined) {
    const all = 'select nspname as name from pg_catalog.pg_namespace order by 1';
    throw unknown(`schema ${schema} in ${database}`, await namesOf(session, all));
  }
  const rows = await session.query<{ oid: string }>(
    `select c.oid::text from pg_catalog.pg_class c
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1 and c.relkind in (${KINDS})`,
    [schema],
  );
  return rows.map(({ oid }) => oid);
}

async function oidOfTable(
  session: SqlSession,
  database: string,
  { schema, table }: WantedTable,
): Promise<string> {
  const [row] = await session.query<{ oid: string }>(
    `select c.oid::text from pg_catalog.pg_class c
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1 and c.relname = $2 and c.relkind in (${KINDS})`,
    [schema, table],
  );
  if (row !== undefined) return row.oid;
  const all = `
    select n.nspname || '.' || c.relname as name from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in (${KINDS}) and c.oid >= 16384
    order by n.nspname <> $1, lower(c.relname) <> lower($2), 1`;
  throw unknown(
    `table ${schema}.${table} in ${database}`,
    await namesOf(session, all, [schema, table]),
  );
}

const NAMES_MAX = 10;

async function namesOf(
  session: SqlSession,
  query: string,
  values: readonly string[] = [],
): Promise<readonly string[]> {
  const rows = await session.query<{ name: string }>(`${query} limit ${NAMES_MAX}`, values);
  return rows.map(({ name }) => name);
}

function unknown(what: string, names: readonly string[]): TsbkError {
  return new TsbkError('object-unknown', `at the recovery target there is no ${what}`, {
    hint: names.length === 0 ? 'There is none at all.' : `There are: ${names.join(', ')}.`,
  });
}
