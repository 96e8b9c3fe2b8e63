import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Server } from './postgres.ts';

/**
 * What happens to a database between the links of a chain of deltas: rows come, change and go,
 * relations grow, shrink and are written anew, are made and dropped, and one stays as it is.
 */
export const CHANGES: readonly (readonly string[])[] = [
  [
    `create table still as select n, repeat(md5(n::text), 8) as pad from generate_series(1, 15000) n`,
    `create table moving as select n, repeat(md5(n::text), 4) as pad from generate_series(1, 30000) n`,
    'alter table moving add primary key (n)',
    `create table shrinking as select n, repeat('s', 300) as pad from generate_series(1, 20000) n`,
    `create table emptied as select n from generate_series(1, 20000) n`,
    'create table dropped as select n from generate_series(1, 9000) n',
    'create unlogged table unlogged as select n from generate_series(1, 9000) n',
    'vacuum',
    'checkpoint',
  ],
  [
    `insert into moving select n, 'new' from generate_series(30001, 32000) n`,
    `update moving set pad = 'changed' where n % 700 = 0`,
    'delete from moving where n between 5000 and 5100',
    'delete from shrinking where n > 2000',
    'vacuum shrinking',
    'truncate emptied',
    'insert into emptied select n from generate_series(1, 100) n',
    'drop table dropped',
    `create table made as select n, 'made' as pad from generate_series(1, 5000) n`,
  ],
  [
    'vacuum full made',
    'update made set pad = null where n % 2 = 0',
    'create index on moving (pad)',
    `insert into shrinking select n, 'grown' from generate_series(1, 30000) n`,
    'create database other',
    'truncate emptied',
  ],
  [
    'drop database other',
    `update moving set pad = pad || '!' where n < 50`,
    'vacuum full shrinking',
    'delete from made where n > 100',
    'vacuum made',
    `create table dropped as select n, 'again' as pad from generate_series(1, 10) n`,
    'insert into emptied values (1)',
  ],
];

/** Makes the changes before link `link` of the chain, 0 the full backup. */
export async function change(server: Server, link: number): Promise<void> {
  for (const statement of CHANGES[link] ?? []) await server.query(statement);
}

/** A sum over the rows of each table, by its name. */
export async function sumsOfTables(server: Server): Promise<Readonly<Record<string, string>>> {
  const tables = await server.query<{ name: string }>(
    "select relname as name from pg_class where relkind = 'r' and relpersistence = 'p' and relnamespace = 'public'::regnamespace order by 1",
  );
  const sums: Record<string, string> = {};
  for (const { name } of tables) {
    const [row] = await server.query<{ sum: string }>(
      `select count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)), 0) as sum from ${name} t`,
    );
    sums[name] = row?.sum ?? '';
  }
  return sums;
}

/** How a backup has its files, by their names in `files_metadata.json`. */
export function contentsOf(
  root: string,
  backup: string,
): ReadonlyMap<string, 'whole' | 'incremented' | 'skipped'> {
  const text = readFileSync(join(root, 'basebackups_005', backup, 'files_metadata.json'), 'utf8');
  const { Files: files } = JSON.parse(text) as {
    Files: Record<string, { IsIncremented: boolean; IsSkipped: boolean }>;
  };
  return new Map(
    Object.entries(files).map(([name, { IsIncremented, IsSkipped }]) => [
      name,
      IsIncremented ? 'incremented' : IsSkipped ? 'skipped' : 'whole',
    ]),
  );
}
