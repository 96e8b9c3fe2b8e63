import assert from 'node:assert/strict';
import type { Server } from '../support/postgres.ts';
import type { Entry, Ledger } from './ledger.ts';

interface WriterState {
  readonly writer: number;
  readonly entries: string;
  readonly last: string;
  readonly unbroken: boolean;
}

/** How many entries of each writer lie before `bound`. */
export function entriesBefore(ledger: Ledger, bound: bigint): number[] {
  return ledger.confirmed.map((entries) => {
    // Positions grow with the entries of one writer.
    let count = entries.length;
    while (count > 0 && (entries[count - 1]?.lsn ?? 0n) > bound) count -= 1;
    return count;
  });
}

/** How many entries of each writer a server has. */
export async function entriesOn(server: Server, writers: number): Promise<number[]> {
  const rows = await server.query<{ writer: number; last: string }>(
    'select writer, max(n) as last from ledger group by writer',
  );
  return Array.from({ length: writers }, (_, writer) =>
    Number(rows.find((row) => row.writer === writer)?.last ?? 0),
  );
}

/**
 * Checks a restored server against what was confirmed: the first `wanted` entries of each writer are
 * there, and every chain, to its end, is whole. Returns how many confirmed transactions were found.
 */
export async function checkLedger(
  server: Server,
  ledger: Ledger,
  wanted: readonly number[],
): Promise<number> {
  const states = await server.query<WriterState>(`
    select writer, count(*) as entries, max(n) as last,
           bool_and(previous = coalesce(before, '')) as unbroken
      from (select writer, n, previous, lag(encode(sha256(convert_to(
                     previous || ':' || writer || ':' || n || ':' || pad, 'UTF8')), 'hex'))
                   over (partition by writer order by n) as before
              from ledger) as chain
     group by writer`);
  let checked = 0;
  for (const [writer, count] of wanted.entries()) {
    const state = states.find((row) => row.writer === writer);
    const last = Number(state?.last ?? 0);
    assert.ok(
      last >= count,
      `writer ${writer}: ${count} transactions were acknowledged as archived, ${last} are restored`,
    );
    if (state === undefined) continue;
    assert.equal(Number(state.entries), last, `writer ${writer} has a hole in its entries`);
    assert.ok(state.unbroken, `the chain of writer ${writer} is broken`);
    const entries = ledger.confirmed[writer] ?? [];
    await checkDigest(server, writer, entries.slice(0, Math.min(last, entries.length)));
    checked += count;
  }
  return checked;
}

/** Through the chain, the digest of the last entry vouches for all before it. */
async function checkDigest(
  server: Server,
  writer: number,
  entries: readonly Entry[],
): Promise<void> {
  if (entries.length === 0) return;
  const [row] = await server.query<{ digest: string }>(
    `select encode(sha256(convert_to(previous || ':' || writer || ':' || n || ':' || pad, 'UTF8')),
                   'hex') as digest
       from ledger where writer = $1 and n = $2`,
    [writer, entries.length],
  );
  assert.equal(row?.digest, entries.at(-1)?.digest, `entries of writer ${writer} have changed`);
}
