import { rename, rm } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import type { Asked } from '../archive/push-record.ts';
import { temporaryFor } from '../archive/temporary-file.ts';
import { EXIT } from '../kernel/exit.ts';
import { systemErrorCode } from '../kernel/errors.ts';
import type { Config } from '../settings/table.ts';
import type { DaemonAnswer } from './daemon-exchange.ts';
import { directoryMark, placeMark } from './daemon-place.ts';
import { daemonSocketOf, isTrustedSocket, shortPath } from './daemon-socket.ts';
import { ASKED_HEADER, DIRECTORY_HEADER, PLACE_HEADER } from './daemon-words.ts';

interface AskOptions {
  readonly config: Config;
  readonly signal: AbortSignal;
}

/**
 * Has the server's daemon archive a WAL file, if there is one for this archive and this data directory.
 * Its answer is final, exit code and message; `undefined` means that the command must work alone.
 * Throws the signal's reason.
 */
export async function pushByDaemon(
  path: string,
  options: AskOptions & { readonly asked: Asked | undefined },
): Promise<DaemonAnswer | undefined> {
  const walDir = dirname(resolve(path));
  const query = new URLSearchParams({ path: basename(path) });
  const { asked } = options;
  const json = asked === undefined ? undefined : Buffer.from(JSON.stringify(asked));
  const headers = json === undefined ? [] : [`${ASKED_HEADER}: ${json.toString('base64url')}`];
  return await ask(`/archive-push?${query.toString()}`, walDir, { ...options, headers });
}

/**
 * The same for fetching a WAL file to `destination`. The daemon writes to a name of this process's own:
 * what RECOVERYXLOG is, one that comes too late must not decide.
 */
export async function getByDaemon(
  { name, destination }: { readonly name: string; readonly destination: string },
  options: AskOptions,
): Promise<DaemonAnswer | undefined> {
  const walDir = dirname(resolve(destination));
  const temporary = temporaryFor(destination);
  const query = new URLSearchParams({ name, path: basename(temporary) });
  try {
    const target = `/archive-get?${query.toString()}`;
    const answer = await ask(target, walDir, { ...options, headers: [] });
    if (answer?.exitCode !== EXIT.ok) return answer;
    options.signal.throwIfAborted();
    await rename(temporary, destination);
    return answer;
  } catch (error) {
    // Not where it was promised: somebody swept, or the daemon sees another file system.
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function ask(
  target: string,
  walDir: string,
  { config, signal, headers }: AskOptions & { readonly headers: readonly string[] },
): Promise<DaemonAnswer | undefined> {
  const socket = daemonSocketOf(dirname(walDir), config);
  if (!isTrustedSocket(socket)) return undefined;
  const directory = await directoryMark(walDir);
  if (directory === undefined) return undefined;
  const request = [
    `POST ${target} HTTP/1.1`,
    'Host: tsbk',
    `${PLACE_HEADER}: ${placeMark(config)}`,
    `${DIRECTORY_HEADER}: ${directory}`,
    ...headers,
    'Content-Length: 0',
    'Connection: close',
    '',
    '',
  ].join('\r\n');
  // Where there is no daemon, nothing is loaded for it.
  const { exchange } = await import('./daemon-exchange.ts');
  return await exchange(shortPath(socket, process.cwd()), request, { signal });
}
