import { TsbkError, type ErrorDetails } from '../kernel/errors.ts';
import type { ErrorCode } from '../kernel/error-codes.ts';
import type { ServerNotice } from './messages.ts';

/**
 * The error for one that the server reported. `what` says what was asked of whom; the message
 * quotes the server, and its SQLSTATE (PostgreSQL docs, "PostgreSQL Error Codes") decides the code.
 */
export function serverError(what: string, notice: ServerNotice, cause?: unknown): TsbkError {
  const { code, ...details } = classify(notice);
  const detail = notice.detail === undefined ? '' : `; ${notice.detail}`;
  const message = `${what}: ${notice.message}${detail} (SQLSTATE ${notice.code})`;
  return new TsbkError(code, message, { ...details, cause });
}

/** The SQLSTATE that `serverError` has put at the end of its message. */
export function sqlStateOf(error: TsbkError): string | undefined {
  return /\(SQLSTATE ([0-9A-Z]{5})\)$/.exec(error.message)?.[1];
}

interface Verdict extends ErrorDetails {
  readonly code: ErrorCode;
}

function classify(notice: ServerNotice): Verdict {
  const known = VERDICTS[notice.code];
  if (known !== undefined) return known;
  if (notice.code === '28000') return refusedRole(notice);
  return notice.hint === undefined
    ? { code: 'server-error' }
    : { code: 'server-error', hint: notice.hint };
}

const VERDICTS: Readonly<Record<string, Verdict>> = {
  '28P01': {
    code: 'server-denied',
    hint: 'Check PGUSER and PGPASSWORD or the password file (PGPASSFILE); the password may also have expired (VALID UNTIL).',
  },
  '42501': {
    code: 'server-denied',
    hint: 'Backups need LOGIN and REPLICATION: ALTER ROLE <role> LOGIN REPLICATION. `tsbk check` lists what else is missing.',
  },
  '53300': {
    code: 'server-denied',
    retry: true,
    hint: 'All connections are in use. A backup needs one of max_wal_senders and one of max_connections: raise the one the message names.',
  },
  '3D000': { code: 'server-denied', hint: 'Set PGDATABASE to a database that exists.' },
  '57P01': lost('The server was told to stop. Start the backup again once it is up.'),
  '57P02': lost('Another process of the server crashed. See its log.'),
  '57P03': {
    code: 'server-unreachable',
    hint: 'The server is starting up, shutting down or recovering. Try again in a moment.',
  },
};

function lost(hint: string): Verdict {
  return { code: 'connection-lost', hint };
}

/** The file's name is in the message in every language. */
function refusedRole(notice: ServerNotice): Verdict {
  return notice.message.includes('pg_hba.conf')
    ? {
        code: 'server-denied',
        hint: 'Add a line to pg_hba.conf, `hostssl replication <role> <address>/32 scram-sha-256`, and reload; for other sessions name the database instead of replication.',
      }
    : {
        code: 'server-denied',
        hint: 'Check PGUSER: the role must exist and have LOGIN. Where pg_hba.conf asks for a certificate, set PGSSLCERT and PGSSLKEY.',
      };
}
