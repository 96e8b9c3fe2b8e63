import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stageForServerUser } from './stage.ts';

/** The major versions there are real servers of, oldest first. */
export const POSTGRES_VERSIONS = [13, 14, 15, 16, 17, 18] as const;

export type PostgresVersion = (typeof POSTGRES_VERSIONS)[number];

const ENTRIES: Readonly<Record<PostgresVersion, () => string>> = {
  13: () => import.meta.resolve('pg13'),
  14: () => import.meta.resolve('pg14'),
  15: () => import.meta.resolve('pg15'),
  16: () => import.meta.resolve('pg16'),
  17: () => import.meta.resolve('pg17'),
  18: () => import.meta.resolve('pg18'),
};

/** Path of a program of the npm installation: there are only these three. */
export function serverProgram(
  version: PostgresVersion,
  name: 'initdb' | 'pg_ctl' | 'postgres',
): string {
  const native = fileURLToPath(new URL('../native', ENTRIES[version]()));
  return join(stageForServerUser(native), 'bin', name);
}

/**
 * Path of a client program of the distribution (`psql`, `pg_verifybackup`, `pg_amcheck`,
 * `pg_waldump`), from the newest installation that has it; `undefined` where there is none.
 */
export function clientTool(name: string): string | undefined {
  const base = '/usr/lib/postgresql';
  if (!existsSync(base)) return undefined;
  const versions = readdirSync(base).sort((a, b) => Number(b) - Number(a));
  return versions
    .map((version) => join(base, version, 'bin', name))
    .find((path) => existsSync(path));
}
