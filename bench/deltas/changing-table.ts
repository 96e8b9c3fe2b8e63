import type { Server } from '@tsbk/test/support/postgres';

/** A table of which a known share of pages can be changed, each by one row that stays in its page. */
export interface ChangingTable {
  readonly pages: number;
  /** Changes this share of the pages, from 0 to 1, spread evenly; other rows each time. */
  change(share: number): Promise<void>;
  /** Count and hash of all rows. */
  fingerprint(server: Server): Promise<string>;
}

const GIB = 1024 ** 3;
const PAGE_BYTES = 8192;
/** With the fill factor below; a tenth of each page is free for new versions of its rows. */
const ROWS_A_PAGE = 34;

/** Fills a table of about `gib` GiB, whose rows compress about 3:1 with lz4. */
export async function changingTable(server: Server, gib: number): Promise<ChangingTable> {
  const pages = Math.round((gib * GIB) / PAGE_BYTES);
  await server.query('drop table if exists changing');
  await server.query(
    'create table changing (id int, n int, v text) with (fillfactor = 88, autovacuum_enabled = off)',
  );
  await server.query(
    `insert into changing select g, 0, md5(g::text) || repeat('The parcel was handed over. ', 5) from generate_series(1, ${pages * ROWS_A_PAGE}) g`,
  );
  await server.query('vacuum (freeze, analyze) changing');
  let changes = 0;
  return {
    pages,
    change: async (share) => {
      changes += 1;
      const everyPages = Math.max(1, Math.round(1 / share));
      // The same row of every so many pages, by the numbers that the rows were made with.
      const step = everyPages * ROWS_A_PAGE;
      const offset = (changes * 7) % ROWS_A_PAGE;
      await server.query(`update changing set n = n + 1 where id % ${step} = ${offset}`);
      // Or the next update would, as it goes through the table, prune and so change these pages again.
      await server.query('vacuum changing');
      await server.query('checkpoint');
    },
    fingerprint: async (of) => {
      const [row] = await of.query<{ sum: string }>(
        "select count(*) || ' ' || sum(hashtextextended(c::text, 0)) as sum from changing c",
      );
      return row?.sum ?? '';
    },
  };
}
