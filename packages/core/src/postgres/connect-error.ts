import { DatabaseError } from 'pg-protocol';
import { TsbkError, isTsbkError, messageOf, systemErrorCode } from '../kernel/errors.ts';
import { describeHost, type HostSettings } from './connection-settings.ts';
import type { ServerNotice } from './messages.ts';
import { serverError } from './server-error.ts';

/** The error for whatever kept a connection to `host` from being made. */
export function connectError(error: unknown, host: HostSettings): unknown {
  const what = `PostgreSQL at ${describeHost(host)}`;
  if (isTsbkError(error, 'connection-lost')) {
    return new TsbkError('server-unreachable', `${what} closed the connection`, {
      cause: error,
      hint: 'See the log of the server. Is it PostgreSQL that listens there?',
    });
  }
  if (isTsbkError(error)) return error;
  if (error instanceof DatabaseError) return serverError(what, noticeOf(error), error);
  const code = systemErrorCode(error);
  if (code !== undefined) return unreachable(what, error, code);
  const message = messageOf(error);
  if (message.startsWith('SASL')) {
    return new TsbkError('server-denied', `${what}: ${message}`, {
      cause: error,
      hint: 'The password exchange failed: check PGPASSWORD, and that nothing sits in between.',
    });
  }
  return error;
}

/** What a server said, out of the error `pg` made of it. */
export function noticeOf(error: DatabaseError): ServerNotice {
  return {
    severity: error.severity ?? 'ERROR',
    code: error.code ?? 'XX000',
    message: error.message,
    ...(error.detail === undefined ? {} : { detail: error.detail }),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  };
}

const HINTS: Readonly<Record<string, string>> = {
  ENOENT:
    'There is no socket: is the server running, and is its unix_socket_directories the PGHOST?',
  EACCES: 'This user may not use the socket.',
  ENOTFOUND: 'The name does not resolve: check PGHOST.',
  EAI_AGAIN: 'The name server does not answer.',
  ECONNREFUSED: 'Is the server running, and does listen_addresses include this address?',
};

function unreachable(what: string, error: unknown, code: string): TsbkError {
  // Of a name with several addresses Node.js reports an aggregate without a message.
  const message = messageOf(error) === '' ? code : messageOf(error);
  return new TsbkError('server-unreachable', `${what} cannot be reached: ${message}`, {
    cause: error,
    hint: HINTS[code] ?? 'Check PGHOST, PGPORT and the network.',
  });
}
