import { readFile, stat } from 'node:fs/promises';
import { messageOf, systemErrorCode } from '../kernel/errors.ts';
import type { HostSettings } from './connection-settings.ts';

/** Whose password is wanted. */
export interface PasswordQuestion {
  readonly host: HostSettings;
  /** Names to try, in order: a physical replication connection goes by `replication`. */
  readonly databases: readonly string[];
  readonly user: string;
}

/** The answer of a password file; `ignored` says why the file was not used, for a hint. */
export interface PasswordAnswer {
  readonly password?: string;
  readonly ignored?: string;
}

/**
 * Looks a password up in a password file (PostgreSQL docs, "The Password File"). As with libpq a
 * file that is missing has no passwords, and one that others may read is not used.
 */
export async function askPassFile(
  path: string,
  question: PasswordQuestion,
): Promise<PasswordAnswer> {
  try {
    const { mode } = await stat(path);
    if ((mode & 0o170000) !== 0o100000) return { ignored: `${path} is not a plain file` };
    if ((mode & 0o077) !== 0) {
      return { ignored: `${path} is open to others and was not used: chmod 600 it` };
    }
    const password = findPassword(await readFile(path, 'utf8'), question);
    return password === undefined ? {} : { password };
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT' || systemErrorCode(error) === 'ENOTDIR') return {};
    return { ignored: `${path} cannot be read: ${messageOf(error)}` };
  }
}

/**
 * The password of the first line that fits: `host:port:database:user:password`, where `*` fits
 * anything and a backslash makes the colon or backslash after it an ordinary character.
 */
export function findPassword(text: string, question: PasswordQuestion): string | undefined {
  const entries = text
    .split(/\r?\n/)
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map(splitFields);
  const { host, user } = question;
  for (const database of question.databases) {
    const wanted = [hostNames(host), [String(host.port)], [database], [user]];
    const entry = entries.find(({ fields }) =>
      wanted.every((names, index) => {
        const field = fields[index];
        return field !== undefined && (field === '*' || names.includes(unescape(field)));
      }),
    );
    if (entry?.password !== undefined) return entry.password;
  }
  return undefined;
}

interface PassEntry {
  readonly fields: readonly string[];
  readonly password: string | undefined;
}

/** `localhost` stands for the sockets in the default directories too. */
function hostNames(host: HostSettings): string[] {
  if (host.kind === 'tcp') return [host.name];
  const isDefault = DEFAULT_SOCKET_DIRECTORIES.includes(host.directory);
  return isDefault ? [host.directory, 'localhost'] : [host.directory];
}

/** Where packages put the server's socket: distributions, and PostgreSQL's own default. */
export const DEFAULT_SOCKET_DIRECTORIES: readonly string[] = [
  '/var/run/postgresql',
  '/run/postgresql',
  '/tmp',
];

/** The first four fields still hold their escapes, so that `\*` is a star and `*` is any. */
function splitFields(line: string): PassEntry {
  const parts: string[] = [];
  let start = 0;
  for (let at = 0; at < line.length && parts.length < 4; at += 1) {
    if (line[at] === '\\') at += 1;
    else if (line[at] === ':') {
      parts.push(line.slice(start, at));
      start = at + 1;
    }
  }
  const password = parts.length === 4 ? unescape(line.slice(start)) : undefined;
  return { fields: parts, password: password === '' ? undefined : password };
}

function unescape(field: string): string {
  return field.replace(/\\(.)/g, '$1');
}
