import type { Client } from 'pg';
import type { Server } from '../support/postgres.ts';

const TABLES = `
  select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'r' and c.relpersistence = 'p' and n.nspname = 'public' order by 1`;
const CATALOGS = ['pg_class', 'pg_attribute', 'pg_index', 'pg_type', 'pg_depend'];
const SHARED = ['pg_database', 'pg_tablespace', 'pg_authid'];
/** What the server itself notes in its catalogs while it goes on is not content. */
const VOLATILE = new Map([
  [
    'pg_class',
    "- 'relfrozenxid' - 'relminmxid' - 'relpages' - 'reltuples' - 'relallvisible' - 'relallfrozen' - 'relhasindex'",
  ],
  ['pg_database', "- 'datfrozenxid' - 'datminmxid'"],
]);

/** Every row of every table in every database and of the main catalogs, as a line each. */
export async function fingerprint(server: Server): Promise<string[]> {
  const lines: string[] = [];
  await eachDatabase(server, async (database, session) => {
    for (const table of await names(session, TABLES)) {
      lines.push(
        `${database} ${table} ${await sumOf(session, `select t::text as r from ${table} t`)}`,
      );
    }
    for (const catalog of [...CATALOGS, ...SHARED]) {
      const rows = `select (to_jsonb(t) ${VOLATILE.get(catalog) ?? ''})::text as r from ${catalog} t`;
      lines.push(`${database} ${catalog} ${await sumOf(session, rows)}`);
    }
  });
  return lines;
}

/**
 * What is wrong in the structure of any table or index: each page is read, so that its checksum is
 * compared, each index held against its table and each table against its visibility map.
 */
export async function damage(server: Server): Promise<string[]> {
  const found: string[] = [];
  await eachDatabase(server, async (database, session) => {
    await session.query('create extension if not exists amcheck');
    const indexes = await names(
      session,
      "select c.oid::text as name from pg_class c join pg_am a on a.oid = c.relam join pg_index i on i.indexrelid = c.oid where a.amname = 'btree' and c.relpersistence = 'p' and i.indisvalid",
    );
    for (const oid of indexes) await session.query(`select bt_index_check(${oid}::regclass, true)`);
    if (server.version < 14) return;
    const tables = await names(
      session,
      "select oid::text as name from pg_class where relkind in ('r', 't', 'm') and relpersistence = 'p'",
    );
    for (const oid of tables) {
      const { rows } = await session.query<{ msg: string }>(
        `select msg from verify_heapam(${oid}::regclass)`,
      );
      found.push(...rows.map(({ msg }) => `${database} ${oid} ${msg}`));
    }
  });
  return found;
}

async function eachDatabase(
  server: Server,
  visit: (database: string, session: Client) => Promise<void>,
): Promise<void> {
  const databases = await server.query<{ name: string }>(
    'select datname as name from pg_database where datallowconn order by 1',
  );
  for (const { name } of databases) {
    const session = await server.client({ database: name });
    try {
      await visit(name, session);
    } finally {
      await session.end();
    }
  }
}

async function names(session: Client, sql: string): Promise<string[]> {
  const { rows } = await session.query<{ name: string }>(sql);
  return rows.map(({ name }) => name);
}

async function sumOf(session: Client, rows: string): Promise<string> {
  const { rows: sums } = await session.query<{ sum: string }>(
    `select count(*) || ' ' || coalesce(sum(hashtextextended(r, 0)), 0) as sum from (${rows}) s`,
  );
  return sums[0]?.sum ?? '';
}
