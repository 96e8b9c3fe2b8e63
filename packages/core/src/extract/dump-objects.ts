import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, TsbkError } from '../kernel/errors.ts';
import type { Report } from '../ports/report.ts';
import { openSqlSession } from '../postgres/sql-session.ts';
import { dumpToFile } from '../programs/dump-to-file.ts';
import type { Installation } from '../programs/installation.ts';
import type { SystemUser } from '../programs/run-as.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import type { Selection } from '../repository/chain/selection.ts';
import { findObjects, type FoundObjects } from './find-objects.ts';
import { requireInScope } from './scope.ts';
import type { ScratchServer } from './scratch-server.ts';
import type { WantedDatabase, WantedTable } from './wanted-objects.ts';

/** As pg_dump has them: `custom` is for pg_restore, `plain` is SQL. */
export type DumpFormat = 'custom' | 'plain';

export interface Dump {
  readonly database: string;
  readonly path: string;
  readonly bytes: number;
}

interface DumpInputs {
  readonly repository: Repository;
  readonly server: ScratchServer;
  readonly installation: Installation;
  readonly restored: { readonly backup: string; readonly selection: Selection | undefined };
}

interface DumpRequest {
  readonly wanted: readonly WantedDatabase[];
  readonly out: string;
  readonly format: DumpFormat;
  readonly user: SystemUser | undefined;
}

interface FoundDatabase {
  readonly wanted: WantedDatabase;
  readonly found: FoundObjects;
}

/**
 * Dumps the wanted objects, after it has made sure that all of them are there and that nothing of
 * them was left out of the restore. Throws `object-unknown`, `ScopeTooNarrow`, `extract-failed`.
 */
export async function dumpObjects(
  { repository, server, installation, restored }: DumpInputs,
  request: DumpRequest,
  { signal, report }: RunOptions & { readonly report: Report },
): Promise<readonly Dump[]> {
  const found = await findAll(server, request.wanted, { signal });
  const read = {
    databases: found.map((one) => one.found.databaseOid),
    paths: new Set(found.flatMap((one) => one.found.paths)),
  };
  await requireInScope(repository, restored, read, { signal });
  const unlogged = found.flatMap((one) => one.found.unlogged);
  if (unlogged.length > 0) {
    const text = `unlogged tables have no rows in any backup: ${unlogged.join(', ')}`;
    report({ kind: 'warning', code: 'unlogged', text });
  }
  const pgDump = join(installation.directory, 'pg_dump');
  return await withPlaces(request, async (pathOf) => {
    const dumps: Dump[] = [];
    for (const { wanted, found: objects } of found) {
      const { database } = wanted;
      const path = pathOf(database);
      const bytes = await dumpToFile(path, {
        command: [pgDump, ...argumentsOf(wanted, objects, request.format)],
        environment: server.environment(database),
        user: request.user,
        signal,
      });
      dumps.push({ database, path, bytes });
    }
    return dumps;
  });
}

async function findAll(
  server: ScratchServer,
  wanted: readonly WantedDatabase[],
  { signal }: RunOptions,
): Promise<readonly FoundDatabase[]> {
  const databases = await databasesOf(server, { signal });
  const found: FoundDatabase[] = [];
  for (const one of wanted) {
    if (!databases.includes(one.database)) {
      throw new TsbkError(
        'object-unknown',
        `at the recovery target there is no database ${one.database}`,
        { hint: `There are: ${databases.join(', ')}.` },
      );
    }
    found.push({ wanted: one, found: await findIn(server, one, { signal }) });
  }
  return found;
}

async function findIn(
  server: ScratchServer,
  wanted: WantedDatabase,
  { signal }: RunOptions,
): Promise<FoundObjects> {
  await using session = await openSqlSession(server.connection(wanted.database), { signal });
  return await findObjects(session, wanted);
}

async function databasesOf(
  server: ScratchServer,
  { signal }: RunOptions,
): Promise<readonly string[]> {
  await using session = await openSqlSession(server.connection('template1'), { signal });
  const rows = await session.query<{ name: string }>(
    'select datname as name from pg_catalog.pg_database where datallowconn order by 1',
  );
  return rows.map(({ name }) => name);
}

/** The database is not among them: `pg_dump` would read its name as a connection string. */
function argumentsOf(
  { whole, schemas }: WantedDatabase,
  { tables }: FoundObjects,
  format: DumpFormat,
): readonly string[] {
  const objects = whole
    ? []
    : [
        ...schemas.map((schema) => `--schema=${quoted(schema)}`),
        ...tables.map((table) => `--table=${patternOf(table)}`),
      ];
  return ['--no-password', `--format=${format}`, '--strict-names', ...objects];
}

function patternOf({ schema, table }: WantedTable): string {
  return `${quoted(schema)}.${quoted(table)}`;
}

/** In a pattern of pg_dump: nothing in quotes stands for anything else. */
function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** One file; of several databases one for each, in a directory that goes when anything fails. */
async function withPlaces(
  { wanted, out, format }: DumpRequest,
  work: (pathOf: (database: string) => string) => Promise<readonly Dump[]>,
): Promise<readonly Dump[]> {
  if (wanted.length === 1) return await work(() => out);
  await mkdir(out, { mode: 0o700 }).catch((error: unknown) => {
    throw new TsbkError('extract-failed', `${out} cannot be made: ${messageOf(error)}`, {
      cause: error,
    });
  });
  const extension = format === 'custom' ? 'dump' : 'sql';
  try {
    return await work((database) => join(out, `${encodeURIComponent(database)}.${extension}`));
  } catch (error) {
    await rm(out, { recursive: true, force: true });
    throw error;
  }
}
