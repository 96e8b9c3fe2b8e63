import type { Server } from './postgres.ts';

/** Tables for `changeEverything`, of some hundred pages. */
export async function createChanging(server: Server): Promise<void> {
  for (const sql of [
    'create table kept as select n, repeat(md5(n::text), 1 + n % 9) as t from generate_series(1, 20000) n',
    'create index on kept (n)',
    'create table shrinking as select * from kept',
    'create table rewritten as select * from kept where n < 3000',
    'create table emptied as select * from kept where n < 3000',
    'create table dropped as select * from kept where n < 3000',
    'create unlogged table unlogged as select * from kept where n < 3000',
    'create sequence numbers',
    // What changes is then what the test changes.
    'alter table kept set (autovacuum_enabled = off)',
  ]) {
    await server.query(sql);
  }
}

/** Changes files in every way between two backups: the `round`th time. */
export async function changeEverything(server: Server, round: number): Promise<void> {
  for (const sql of [
    `update kept set t = 'round ${round}' where n % 997 = ${round}`,
    `insert into kept select n, 'new ${round}' from generate_series(${round}00001, ${round}03000) n`,
    `delete from shrinking where n > ${20000 - round * 5000}`,
    'vacuum shrinking',
    'vacuum full rewritten',
    round === 2 ? 'truncate emptied' : `insert into emptied values (${round}, 'one')`,
    round === 2 ? 'drop table dropped' : `create table made${round} as select * from emptied`,
    `update unlogged set t = '${round}'`,
    "select nextval('numbers')",
    round === 3 ? 'reindex table kept' : 'vacuum kept',
    'checkpoint',
  ]) {
    await server.query(sql);
  }
}

/** What is in all logged tables, to be compared. */
export async function sumOfEverything(server: Server): Promise<string> {
  const tables = await server.query<{ name: string }>(
    "select relname as name from pg_class where relkind = 'r' and relpersistence = 'p' and relnamespace = 'public'::regnamespace order by 1",
  );
  const sums: string[] = [];
  for (const { name } of tables) {
    const [row] = await server.query<{ sum: string }>(
      `select count(*) || '/' || coalesce(md5(string_agg(t::text, E'\\n' order by t::text)), '') as sum from ${name} t`,
    );
    sums.push(`${name} ${row?.sum}`);
  }
  const [row] = await server.query<{ n: string }>('select last_value::text as n from numbers');
  return [...sums, `numbers ${row?.n}`].join('\n');
}
