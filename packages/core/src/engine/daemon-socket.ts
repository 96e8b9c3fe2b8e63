import { lstatSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { stateDirectoryOf } from '../cluster/state-directory.ts';
import type { Config } from '../settings/table.ts';

/** Name of the socket, or of a link to it, in the state directory. */
export const SOCKET_NAME = 'daemon.sock';

/** What the kernel takes as the path of a socket: `sun_path` of Linux without its final zero. Bytes. */
export const SOCKET_PATH_BYTES_MAX = 107;

type Places = Pick<Config, 'daemonSocket' | 'stateDirectory'>;

/** Where the commands of the server in `dataDir` look for a daemon. */
export function daemonSocketOf(dataDir: string, { daemonSocket, stateDirectory }: Places): string {
  return daemonSocket ?? join(stateDirectoryOf(dataDir, stateDirectory), SOCKET_NAME);
}

/** The shorter spelling of an absolute path: the kernel's limit is for what it is called by. */
export function shortPath(path: string, cwd: string): string {
  const fromHere = relative(cwd, path);
  return fromHere !== '' && fromHere.length < path.length ? fromHere : path;
}

/**
 * Whether what listens at `path` may be believed: "it is archived" from a stranger's socket would lose
 * WAL. It and its directory must be of this user, or of root, and closed to all others. `false` also
 * where nothing is.
 */
export function isTrustedSocket(path: string, uid = process.getuid?.()): boolean {
  try {
    const real = realpathSync(path);
    const socket = lstatSync(real);
    const directory = statSync(dirname(real));
    const ours = (owner: number): boolean => uid === undefined || owner === uid || owner === 0;
    return (
      socket.isSocket() &&
      [socket, directory].every((one) => ours(one.uid) && (one.mode & 0o022) === 0)
    );
  } catch {
    return false;
  }
}
