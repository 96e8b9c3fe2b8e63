import { mkdirSync } from 'node:fs';
import type { Client } from 'pg';
import { giveToServerUser, scratchPath, type Server } from '../support/postgres.ts';
import type { Seeded } from '../support/seeded.ts';

/** A change to the server's data that a chain of deltas has to bring along. */
interface Change {
  readonly name: string;
  run(scene: Scene): Promise<void>;
}

interface Scene {
  readonly server: Server;
  readonly session: Client;
  readonly random: Seeded;
  readonly state: WorkloadState;
}

interface WorkloadState {
  made: number;
  /** By location. */
  readonly tablespaces: string[];
}

export interface Workload {
  /** Directories of the tablespaces that were made. */
  readonly tablespaces: readonly string[];
  /** Makes some changes and returns their names. */
  changes(count: number): Promise<string[]>;
}

const ROWS_MAX = 20_000;
const GIANT_ROWS = 1_100_000;

const CHANGES: readonly Change[] = [
  { name: 'insert', run: onTable((table, n) => insert(table, n(ROWS_MAX))) },
  { name: 'insert', run: onTable((table, n) => insert(table, n(200))) },
  {
    name: 'update some',
    run: onTable((table, n) => `update ${table} set v = md5(v) where id % ${n(50) + 2} = 0`),
  },
  {
    name: 'update one',
    run: onTable((table, n) => `update ${table} set v = md5(v) where id = ${n(ROWS_MAX)}`),
  },
  {
    name: 'delete some',
    run: onTable((table, n) => `delete from ${table} where id % ${n(10) + 2} = 0`),
  },
  { name: 'truncate', run: onTable((table) => `truncate ${table}`) },
  {
    name: 'truncate and fill',
    run: onTable((table, n) => `truncate ${table}; ${insert(table, n(3000))}`),
  },
  { name: 'vacuum', run: onTable((table) => `vacuum ${table}`) },
  { name: 'vacuum full', run: onTable((table) => `vacuum full ${table}`) },
  { name: 'vacuum freeze', run: onTable((table) => `vacuum freeze ${table}`) },
  { name: 'shrink', run: shrink },
  { name: 'reindex', run: onTable((table) => `reindex table ${table}`) },
  { name: 'create table', run: createTable },
  { name: 'create table', run: createTable },
  { name: 'create unlogged', run: ({ session }) => runSql(session, UNLOGGED) },
  { name: 'drop table', run: onTable((table) => `drop table ${table}`) },
  { name: 'create database', run: createDatabase },
  { name: 'drop database', run: dropDatabase },
  { name: 'create tablespace', run: createTablespace },
  { name: 'move to a tablespace', run: moveTable },
  { name: 'abort', run: abort },
  { name: 'hint bits', run: onTable((table) => `select count(v) from ${table}`) },
  { name: 'checkpoint', run: ({ session }) => runSql(session, 'checkpoint') },
  { name: 'restart', run: ({ server }) => server.restart() },
  { name: 'crash', run: crash },
];

const UNLOGGED =
  'create unlogged table if not exists u (n int); insert into u select generate_series(1, 1000)';

/** Random changes to everything a delta has to notice. Begins with two filled tables. */
export async function startWorkload(server: Server, random: Seeded): Promise<Workload> {
  const state: WorkloadState = { made: 0, tablespaces: [] };
  const play = async (run: Change['run']): Promise<void> => {
    const session = await server.client();
    try {
      await run({ server, session, random, state });
    } finally {
      // A restart has ended it already.
      await session.end().catch(() => undefined);
    }
  };
  await play(createTable);
  await play(createTable);
  return {
    tablespaces: state.tablespaces,
    changes: async (count) => {
      const names: string[] = [];
      for (let number = 0; number < count; number += 1) {
        const change = random.pick(CHANGES);
        names.push(change.name);
        await play((scene) => change.run(scene));
      }
      return names;
    },
  };
}

/** A relation of more than one file, which grows and is cut in the middle of its first. */
export async function giantRelation(server: Server): Promise<{ cut(): Promise<void> }> {
  await server.query(
    `create table giant as select n as id, repeat(md5(n::text), 30) as v from generate_series(1, ${GIANT_ROWS}) n`,
  );
  return {
    cut: async () => {
      await server.query(`delete from giant where id > ${Math.floor(GIANT_ROWS / 3)}`);
      await server.query('vacuum giant');
    },
  };
}

/** A statement about one of the tables; nothing where there is none. */
function onTable(sql: (table: string, below: (limit: number) => number) => string): Change['run'] {
  return async ({ session, random }) => {
    const table = await anyTable(session, random);
    if (table === undefined) return;
    for (const statement of sql(table, (limit) => random.below(limit)).split('; ')) {
      await runSql(session, statement);
    }
  };
}

async function anyTable(session: Client, random: Seeded): Promise<string | undefined> {
  const { rows } = await session.query<{ name: string }>(
    "select relname as name from pg_class where relkind = 'r' and relname ~ '^t[0-9]+$' order by oid",
  );
  return rows.length === 0 ? undefined : random.pick(rows).name;
}

function insert(table: string, rows: number): string {
  return `insert into ${table} select n, md5(n::text || clock_timestamp()), repeat('x', n % 300) from generate_series(1, ${rows}) n`;
}

async function createTable({ session, random, state }: Scene): Promise<void> {
  state.made += 1;
  const table = `t${state.made}`;
  await runSql(session, `create table ${table} (id int, v text, pad text)`);
  await runSql(session, insert(table, random.below(ROWS_MAX)));
  await runSql(session, `create index on ${table} (id)`);
  if (random.below(2) === 0)
    await runSql(session, `create index on ${table} using gin ((array[v]))`);
}

/** What is at the end goes, so that VACUUM can give pages back to the file system. */
async function shrink({ session, random }: Scene): Promise<void> {
  const table = await anyTable(session, random);
  if (table === undefined) return;
  const half = `(select max(ctid) from ${table})`;
  await runSql(
    session,
    `delete from ${table} where (ctid::text::point)[0] > (${half}::text::point)[0] / ${random.between(2, 5)}`,
  );
  await runSql(session, `vacuum ${table}`);
}

async function createDatabase({ server, session, random, state }: Scene): Promise<void> {
  state.made += 1;
  const name = `d${state.made}`;
  const strategy = server.version >= 15 ? ` strategy ${random.pick(['wal_log', 'file_copy'])}` : '';
  await runSql(session, `create database ${name}${strategy}`);
  const other = await server.client({ database: name });
  try {
    await other.query('create table t (n int primary key, v text)');
    await other.query(`insert into t select n, md5(n::text) from generate_series(1, 500) n`);
  } finally {
    await other.end();
  }
}

async function dropDatabase({ session, random }: Scene): Promise<void> {
  const { rows } = await session.query<{ name: string }>(
    "select datname as name from pg_database where datname ~ '^d[0-9]+$' order by oid",
  );
  if (rows.length > 0) await runSql(session, `drop database ${random.pick(rows).name}`);
}

async function createTablespace({ session, state }: Scene): Promise<void> {
  const place = scratchPath('space');
  mkdirSync(place);
  giveToServerUser(place);
  state.made += 1;
  state.tablespaces.push(place);
  await runSql(session, `create tablespace s${state.made} location '${place}'`);
}

async function moveTable({ session, random }: Scene): Promise<void> {
  const { rows } = await session.query<{ name: string }>(
    "select spcname as name from pg_tablespace where spcname <> 'pg_global' order by oid",
  );
  const table = await anyTable(session, random);
  if (table === undefined) return;
  await runSql(session, `alter table ${table} set tablespace ${random.pick(rows).name}`);
}

/** Rows that nobody will ever see, and pages in front of and behind them that somebody will. */
async function abort({ session, random }: Scene): Promise<void> {
  const table = await anyTable(session, random);
  if (table === undefined) return;
  await runSql(session, 'begin');
  await runSql(session, insert(table, random.below(2000)));
  await runSql(session, `update ${table} set v = 'never' where id % 5 = 0`);
  await runSql(session, 'rollback');
}

async function crash({ server }: Scene): Promise<void> {
  await server.stop('immediate');
  await server.start();
}

async function runSql(session: Client, sql: string): Promise<void> {
  await session.query(sql);
}
