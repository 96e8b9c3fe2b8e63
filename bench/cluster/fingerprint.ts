import type { Server } from '@tsbk/test/support/postgres';

/** Rows of each table with a hash that does not depend on their order. */
export type Fingerprint = ReadonlyMap<string, string>;

/** Reads every row of every table. */
export async function fingerprintOf(server: Server): Promise<Fingerprint> {
  const tables = await server.query<{ name: string }>(
    "select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1",
  );
  const found = new Map<string, string>();
  // A few statements, not one a table: hundreds of small tables would cost as many round trips.
  for (let i = 0; i < tables.length; i += 50) {
    const parts = tables
      .slice(i, i + 50)
      .map(
        ({ name }) =>
          `select '${name}' as name, count(*) || ':' || coalesce(sum(hashtextextended(t::text, 0)), 0) as sum from ${name} t`,
      );
    const rows = await server.query<{ name: string; sum: string }>(parts.join(' union all '));
    for (const { name, sum } of rows) found.set(name, sum);
  }
  return found;
}

/** Names of tables that differ or that one side lacks; empty when all is the same. */
export function differences(expected: Fingerprint, actual: Fingerprint): string[] {
  const names = new Set([...expected.keys(), ...actual.keys()]);
  return [...names].filter((name) => expected.get(name) !== actual.get(name));
}
