import type { Server } from '@tsbk/test/support/postgres';

const GIB = 1024 ** 3;

/** Tables of the tree that are small and many, as applications have them. */
const SMALL_TABLES = 400;

/**
 * Fills a database with about `gib` GiB: pgbench's tables, documents of text and JSONB with an index
 * that is larger than most, long values in TOAST, and some hundred small tables. With lz4 all of it
 * compresses about 3:1.
 */
export async function loadCluster(server: Server, gib: number): Promise<void> {
  const sizes = rowCounts(gib);
  await server.query(pgbenchTables(sizes.scale));
  await server.query(documents(sizes.documents));
  await server.query(attachments(sizes.attachments));
  await server.query(smallTables(Math.max(20, Math.round(SMALL_TABLES * Math.min(1, gib)))));
  await server.query('vacuum analyze');
  await server.query('checkpoint');
}

/** Rows by size: 15 MiB a unit of pgbench's scale, 900 bytes a document, 9 KiB an attachment. */
function rowCounts(gib: number) {
  return {
    scale: Math.max(1, Math.round((gib * GIB * 0.35) / (15 * 1024 * 1024))),
    documents: Math.round((gib * GIB * 0.45) / 900),
    attachments: Math.round((gib * GIB * 0.2) / 9216),
  };
}

/** What `pgbench --initialize` makes, by SQL because the program may be absent. */
function pgbenchTables(scale: number): string {
  return `
    create table pgbench_branches (bid int not null, bbalance int, filler char(88)) with (fillfactor = 100);
    create table pgbench_tellers (tid int not null, bid int, tbalance int, filler char(84)) with (fillfactor = 100);
    create table pgbench_accounts (aid int not null, bid int, abalance int, filler char(84)) with (fillfactor = 100);
    create table pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
    insert into pgbench_branches select g, 0, null from generate_series(1, ${scale}) g;
    insert into pgbench_tellers select g, (g - 1) / 10 + 1, 0, null from generate_series(1, ${scale * 10}) g;
    insert into pgbench_accounts select g, (g - 1) / 100000 + 1, (g::bigint * 7919) % 100000, ''
      from generate_series(1, ${scale * 100_000}) g;
    insert into pgbench_history select g % ${scale * 10} + 1, g % ${scale} + 1, g, g % 5000,
      timestamp '2026-01-01' + g * interval '1 second', null from generate_series(1, ${scale * 5000}) g;
    alter table pgbench_branches add primary key (bid);
    alter table pgbench_tellers add primary key (tid);
    alter table pgbench_accounts add primary key (aid);`;
}

function documents(rows: number): string {
  return `
    create table documents (id bigint, customer uuid, title text, body text, detail jsonb, made timestamptz);
    insert into documents
      select g, md5((g % 5000)::text)::uuid, 'Order ' || g || ' of ' || (array['Oslo','Lagos','Lima','Osaka'])[g % 4 + 1],
        repeat('The parcel of customer ' || g % 997 || ' was handed over at dock ' || g % 31 || '. ', 3) || md5(g::text) || md5((g * 3)::text),
        jsonb_build_object('status', (array['open','paid','sent'])[g % 3 + 1], 'amount', (g::bigint * 7919) % 1000000 / 100.0,
          'token', md5((g * 17)::text), 'tags', jsonb_build_array('a' || g % 7, 'b' || g % 11)),
        timestamptz '2026-01-01 00:00:00+00' + g * interval '13 seconds'
      from generate_series(1, ${rows}) g;
    alter table documents add primary key (id);
    create index documents_customer on documents (customer, made);
    create index documents_token on documents ((detail ->> 'token'));`;
}

/** Values that PostgreSQL moves out of line, half compressed by it, half stored as they are. */
function attachments(rows: number): string {
  const hashes = (count: number): string =>
    `(select string_agg(md5(g || '-' || i) || ' page ' || i || ' ', '') from generate_series(1, ${count}) i)`;
  return `
    create table attachments (id int primary key, kept text, plain text);
    alter table attachments alter column plain set storage external;
    insert into attachments select g, ${hashes(100)},
      ${hashes(60)} || repeat('scanned at desk ' || g % 17 || '; ', 120) from generate_series(1, ${rows}) g;`;
}

function smallTables(count: number): string {
  return `do $$ begin for i in 1..${count} loop
    execute format('create table small_%s (id int primary key, name text, note text)', i);
    execute format('insert into small_%s select g, %L || g, md5(g::text) from generate_series(1, %s) g', i, 'item ', 20 + i % 200);
  end loop; end $$`;
}
