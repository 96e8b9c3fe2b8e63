import { parseWalFileName } from '../kernel/wal-file.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { WalCopies } from '../ports/wal-copies.ts';
import { describeHost } from './connection-settings.ts';
import type { SqlSession } from './sql-session.ts';

/** Twice as much passes over the wire: PostgreSQL prints bytes in hexadecimal. */
const READ_BYTES = 1024 * 1024;

const LIST = `
  select w.name, exists (
    select from pg_catalog.pg_ls_archive_statusdir() s
    where s.name in (w.name || '.ready', w.name || '.done')) as marked
  from pg_catalog.pg_ls_waldir() w`;

const READ = `
  select pg_catalog.encode(
    pg_catalog.pg_read_binary_file('pg_wal/' || $1, $2::bigint, $3::bigint, true), 'base64') as piece`;

/**
 * WAL of the server that a session is of, read through it. Listing needs the rights of
 * `pg_monitor`, reading those to execute `pg_read_binary_file`; without them it throws `server-denied`.
 */
export function serverWal(session: SqlSession): WalCopies {
  return {
    where: `the server at ${describeHost(session.host)}`,
    list: async () => {
      const rows = await session.query<{ name: string; marked: string }>(LIST);
      return rows.flatMap(({ name, marked }) => {
        const kind = parseWalFileName(name)?.kind;
        return kind === 'segment' || kind === 'history' ? [{ name, isMarked: marked === 't' }] : [];
      });
    },
    read: async (name, { signal }) => {
      const first = await piece(session, name, 0);
      return first === undefined ? undefined : chunks(session, name, { first, signal });
    },
  };
}

async function* chunks(
  session: SqlSession,
  name: string,
  { first, signal }: { readonly first: Buffer; readonly signal: AbortSignal },
): ByteSource {
  let bytes = 0;
  let next: Buffer | undefined = first;
  while (next !== undefined && next.length > 0) {
    yield next;
    bytes += next.length;
    if (next.length < READ_BYTES) return;
    signal.throwIfAborted();
    next = await piece(session, name, bytes);
  }
}

/** `undefined` if the file is gone. */
async function piece(session: SqlSession, name: string, from: number): Promise<Buffer | undefined> {
  const values = [name, String(from), String(READ_BYTES)];
  const [row] = await session.query<{ piece: string | null }>(READ, values);
  return typeof row?.piece === 'string' ? Buffer.from(row.piece, 'base64') : undefined;
}
