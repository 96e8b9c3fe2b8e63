import { isTsbkError, messageOf, TsbkError } from '../kernel/errors.ts';
import type {
  BackupServer,
  ClusterDatabase,
  DatabaseRelation,
  OwnedRelation,
} from '../ports/backup-server.ts';
import type { Report } from '../ports/report.ts';
import type { RunOptions } from '../repository/repository.ts';
import { orAbort } from '../stream/abort.ts';
import type { Spool, SpooledText } from '../stream/spool.ts';

/** A database with the names of its relations, as they stand in `DatabasesByNames`. */
export type NamedDatabase = Pick<SpooledText, 'read'>;

/** For one database, and for all of them: names are worth less than a backup that goes on. */
const DATABASE_MS = 60_000;
const ALL_MS = 600_000;

/**
 * Asks every database for the names of its relations, one at a time. Call it between the start of a
 * backup and its end: what is made, dropped or rewritten at another time than this is in the WAL
 * that the backup needs, so the files that the names lead to are the right ones. What cannot be
 * asked is left out with a warning. Throws `scratch-failed`, or the signal's reason.
 */
export async function nameDatabases(
  server: BackupServer,
  spool: Spool,
  { signal, report }: RunOptions & { readonly report: Report },
): Promise<readonly NamedDatabase[]> {
  const named: NamedDatabase[] = [];
  const timeUp = AbortSignal.timeout(ALL_MS);
  const ask = async <T>(
    what: string,
    question: (both: AbortSignal) => Promise<T>,
  ): Promise<T | undefined> => {
    const own = AbortSignal.any([timeUp, AbortSignal.timeout(DATABASE_MS)]);
    try {
      return await question(AbortSignal.any([signal, own]));
    } catch (error) {
      signal.throwIfAborted();
      if (!own.aborted && !isUnanswered(error)) throw error;
      report({ kind: 'warning', code: 'names-missing', text: unasked(what, error) });
      return undefined;
    }
  };
  const databases = await ask('the server', (both) => orAbort(server.databases(), both));
  for (const database of databases ?? []) {
    const text = await ask(`the database ${database.name}`, (both) =>
      nameRelations(server, database, { spool, signal: both }),
    );
    if (text !== undefined) named.push(text);
  }
  return named;
}

/** One member of the object: the database's name and what WAL-G says of it. */
async function nameRelations(
  server: BackupServer,
  database: ClusterDatabase,
  { spool, signal }: RunOptions & { readonly spool: Spool },
): Promise<NamedDatabase> {
  const text = spool.text();
  await text.append(`${JSON.stringify(database.name)}:{"oid":${database.oid},"tables_new":{`);
  let owner: OwnedRelation | undefined;
  let isFirstBelow = true;
  for await (const relation of server.relations(database, { signal })) {
    if (relation.oid === relation.owner) {
      const end = owner === undefined ? '' : `${isFirstBelow ? '' : '}'}},`;
      await text.append(end + head(relation));
      owner = relation;
      isFirstBelow = true;
    } else if (relation.owner === owner?.oid) {
      const before = isFirstBelow ? ',"subtables":{' : ',';
      await text.append(`${before}${head(relation)}}`);
      isFirstBelow = false;
    }
  }
  await text.append(owner === undefined ? '}}' : `${isFirstBelow ? '' : '}'}}}}`);
  await text.end();
  return text;
}

/** Without the closing brace. */
function head({ name, oid, filenode }: DatabaseRelation): string {
  return `${JSON.stringify(name)}:{"oid":${oid},"relfilenode":${filenode}`;
}

/** Whether it is the server that has no answer. */
function isUnanswered(error: unknown): boolean {
  return (['server-denied', 'server-error', 'server-unreachable', 'connection-lost'] as const).some(
    (code) => isTsbkError(error, code),
  );
}

function unasked(what: string, error: unknown): string {
  const why = error instanceof TsbkError ? error.message : `it took too long (${messageOf(error)})`;
  return `${what} did not say how its tables are called, so none can be restored by itself: ${why}`;
}
