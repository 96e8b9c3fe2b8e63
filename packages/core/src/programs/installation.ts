import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf, TsbkError } from '../kernel/errors.ts';

/** Where PostgreSQL's own programs are. */
export interface Installation {
  readonly directory: string;
  /** As the programs print it: `15.18`. */
  readonly version: string;
}

/** Where the packages of the distributions put each major version. */
const PACKAGED = ['/usr/lib/postgresql/MAJOR/bin', '/usr/pgsql-MAJOR/bin'];
const TIMEOUT_MS = 10_000;

const run = promisify(execFile);

/**
 * An installation with `postgres` and `pg_dump` of one major version: the directory that was given,
 * else on `path`, beside its `pg_config`, or where packages put it. Throws `programs-missing`,
 * saying what was found.
 */
export async function findInstallation(
  major: number,
  options: {
    readonly directory: string | undefined;
    readonly path: string | undefined;
    readonly signal: AbortSignal;
  },
): Promise<Installation> {
  const found: string[] = [];
  const candidates =
    options.directory === undefined ? await usualPlaces(major, options) : [options.directory];
  for (const directory of candidates) {
    const versions = await versionsIn(directory, options);
    if (versions === undefined) continue;
    const [server, dump] = versions;
    if (majorOf(server) === major && majorOf(dump) === major) return { directory, version: server };
    found.push(`${directory} has postgres ${server} and pg_dump ${dump}`);
  }
  const what = options.directory === undefined ? '' : ` in ${options.directory}`;
  const others = found.length === 0 ? '' : `; ${found.join('; ')}`;
  throw new TsbkError(
    'programs-missing',
    `there are no postgres and pg_dump of PostgreSQL ${major}${what}${others}`,
    {
      hint: `Install the packages of server and client, or name the directory by TSBK_PG_BIN_DIRECTORY.`,
    },
  );
}

/** Where loadable libraries are; `undefined` where there is no `pg_config`. */
export async function libraryDirectory(
  { directory }: Installation,
  { signal }: { readonly signal: AbortSignal },
): Promise<string | undefined> {
  return await firstLine(join(directory, 'pg_config'), '--pkglibdir', { signal });
}

/** Whether a library that `shared_preload_libraries` names is there. */
export async function hasLibrary(directory: string, name: string): Promise<boolean> {
  if (name.includes('/')) return true;
  const files = await readdir(directory).catch(() => []);
  return files.some((file) => file === name || file.replace(/\.(?:so|dylib|dll)$/, '') === name);
}

async function usualPlaces(
  major: number,
  { path = '', signal }: { readonly path: string | undefined; readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const onPath = path.split(':').filter((directory) => directory.startsWith('/'));
  const told = await Promise.all(
    onPath.map((directory) => firstLine(join(directory, 'pg_config'), '--bindir', { signal })),
  );
  const packaged = PACKAGED.map((place) => place.replace('MAJOR', String(major)));
  return [...new Set([...onPath, ...told.filter((one) => one !== undefined), ...packaged])];
}

/** Of `postgres` and `pg_dump`; `undefined` if one of them is not there. */
async function versionsIn(
  directory: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<readonly [string, string] | undefined> {
  const [server, dump] = await Promise.all(
    ['postgres', 'pg_dump'].map((name) =>
      firstLine(join(directory, name), '--version', { signal }),
    ),
  );
  const version = /\(PostgreSQL\) (\S+)/;
  const [, serverVersion] = version.exec(server ?? '') ?? [];
  const [, dumpVersion] = version.exec(dump ?? '') ?? [];
  if (serverVersion === undefined || dumpVersion === undefined) return undefined;
  return [serverVersion, dumpVersion];
}

async function firstLine(
  program: string,
  argument: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<string | undefined> {
  try {
    const { stdout } = await run(program, [argument], { signal, timeout: TIMEOUT_MS });
    return stdout.split('\n')[0]?.trim();
  } catch (error) {
    signal.throwIfAborted();
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES') return undefined;
    throw new TsbkError('programs-missing', `${program} cannot be run: ${messageOf(error)}`, {
      cause: error,
      hint: 'TSBK_PG_BIN_DIRECTORY names another directory.',
    });
  }
}

function majorOf(version: string): number {
  return Number.parseInt(version, 10);
}
