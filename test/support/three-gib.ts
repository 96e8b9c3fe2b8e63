import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { giveToServerUser, type Server } from './postgres.ts';

const PAGE_BYTES = 8192;
const PIECE_PAGES = 128;
const PIECES_PER_FILE = 1024;

/** Rows of the table `wide`, one a page. */
export const WIDE_ROWS = 3 * PIECES_PER_FILE * PIECE_PAGES;

/** What `WIDE_SUM` gives for `wide`, whole. */
export const WIDE_SUM_EXPECTED = String((BigInt(WIDE_ROWS) * BigInt(WIDE_ROWS - 1)) / 2n);

/** The number of its page stands near the end of each row. */
const NUMBER = `('x' || encode(substr(pad, length(pad) - 15, 8), 'hex'))::bit(64)::bigint`;

export const WIDE_SUM = `select count(*)::int as rows, sum(${NUMBER})::text as sum from wide`;

/**
 * Makes a table of exactly 3 GiB, in three files, and gives their paths below the data directory.
 * INSERT would write as much WAL: it makes the first MiB, frozen, and copies of it follow while the
 * server is down, numbered so that no two pages are the same. Only without page checksums, which
 * would not fit the copies.
 */
export async function makeThreeGib(server: Server): Promise<readonly string[]> {
  await server.query('create table wide (pad bytea); alter table wide alter pad set storage plain');
  await server.query(`
    insert into wide
      select string_agg(sha512((n * 1000 + m)::text::bytea), '') || decode(repeat('00', 7076), 'hex')
      from generate_series(1, ${PIECE_PAGES}) n, generate_series(1, 16) m group by n`);
  await server.query('vacuum freeze wide');
  const [row] = await server.query<{ path: string }>("select pg_relation_filepath('wide') as path");
  const path = row?.path ?? '';
  await server.stop();
  const piece = readFileSync(join(server.dataDir, path));
  if (piece.length !== PIECE_PAGES * PAGE_BYTES) throw new Error(`${piece.length} bytes of rows`);
  const files = [path, `${path}.1`, `${path}.2`];
  let number = 0n;
  for (const file of files) {
    const target = join(server.dataDir, file);
    const handle = openSync(target, 'w', 0o600);
    for (let count = 0; count < PIECES_PER_FILE; count += 1) {
      for (let end = PAGE_BYTES; end <= piece.length; end += PAGE_BYTES) {
        piece.writeBigUInt64BE(number, end - 16);
        number += 1n;
      }
      writeSync(handle, piece);
    }
    closeSync(handle);
    giveToServerUser(target);
  }
  await server.start();
  return files;
}
