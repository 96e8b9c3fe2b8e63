import { access, readFile } from 'node:fs/promises';
import { homedir, userInfo } from 'node:os';
import { TsbkError, messageOf, systemErrorCode } from '../kernel/errors.ts';
import type { ConnectionSettings } from './connection-settings.ts';
import { parseConnection, type Environment, type LocalDefaults } from './parse-connection.ts';
import { DEFAULT_SOCKET_DIRECTORIES } from './pass-file.ts';
import { parseServiceFile, type ServiceParameters } from './service-file.ts';

/**
 * Connection settings from an environment, completed by what the machine says: the user's name and
 * home, the service file that `PGSERVICE` asks for, where the server's socket is by default.
 * Throws `usage` when the service cannot be found, and what `parseConnection` throws.
 */
export async function loadConnection(env: Environment): Promise<ConnectionSettings> {
  const { user, home } = localAccount(env);
  const service = await loadService(env, home);
  const port = service?.['port'] ?? env['PGPORT'] ?? '5432';
  const socketDirectory = await findSocketDirectory(port);
  const local: LocalDefaults = {
    home,
    ...(user === undefined ? {} : { user }),
    ...(socketDirectory === undefined ? {} : { socketDirectory }),
    ...(service === undefined ? {} : { service }),
  };
  return parseConnection(env, local);
}

/** A container may run under a user id that no account has. */
function localAccount(env: Environment): { user?: string; home: string } {
  try {
    return { user: userInfo().username, home: env['HOME'] ?? homedir() };
  } catch {
    return { home: env['HOME'] ?? '/nonexistent' };
  }
}

async function loadService(env: Environment, home: string): Promise<ServiceParameters | undefined> {
  const service = env['PGSERVICE'] ?? '';
  if (service === '') return undefined;
  const paths = [
    env['PGSERVICEFILE'] ?? `${home}/.pg_service.conf`,
    `${env['PGSYSCONFDIR'] ?? '/etc/postgresql-common'}/pg_service.conf`,
  ];
  for (const path of paths) {
    const text = await readIfThere(path);
    const found = text === undefined ? undefined : parseServiceFile(text, { service, path });
    if (found !== undefined) return found;
  }
  throw new TsbkError(
    'usage',
    `service ${JSON.stringify(service)} is not in ${paths.join(' or ')}`,
    {
      hint: 'Correct PGSERVICE, or name the file by PGSERVICEFILE.',
    },
  );
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT' || systemErrorCode(error) === 'ENOTDIR') {
      return undefined;
    }
    throw new TsbkError('usage', `connection service file ${path}: ${messageOf(error)}`, {
      cause: error,
      hint: 'Make it readable, or name another one by PGSERVICEFILE.',
    });
  }
}

/** Of several ports the first counts: without a host there is one. */
async function findSocketDirectory(ports: string): Promise<string | undefined> {
  const port = ports.split(',')[0]?.trim() ?? '';
  for (const directory of DEFAULT_SOCKET_DIRECTORIES) {
    try {
      await access(`${directory}/.s.PGSQL.${port}`);
      return directory;
    } catch {
      // No socket there, or none that this user may use.
    }
  }
  return undefined;
}
