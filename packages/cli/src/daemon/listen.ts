import { lstat, readlink, rename, rm, symlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import { isTrustedSocket, shortPath, SOCKET_PATH_BYTES_MAX } from '@tsbk/core/engine/daemon-socket';
import { messageOf, systemErrorCode, TsbkError } from '@tsbk/core/kernel/errors';

/** A socket that nobody but its owner can connect to, from the moment it exists. */
const SOCKET_UMASK = 0o177;
const CONNECT_MS = 1000;
/** How often a dead daemon's socket is put aside: more often, somebody is starting daemons in a row. */
const TRIES = 3;

/**
 * Has `server` listen on a Unix socket at `path` (absolute), mode 0600. What a daemon that was killed left
 * there makes way; one that answers is not touched. Throws `daemon-socket`, `daemon-running`.
 */
export async function listenOn(server: Server, path: string, cwd: string): Promise<void> {
  const short = shortPath(path, cwd);
  if (Buffer.byteLength(short) > SOCKET_PATH_BYTES_MAX) {
    throw unusable(
      path,
      `is longer than the ${SOCKET_PATH_BYTES_MAX} bytes that a socket may have`,
    );
  }
  for (let tries = 1; ; tries += 1) {
    try {
      await bind(server, short);
      break;
    } catch (error) {
      const code = systemErrorCode(error);
      if (code !== 'EADDRINUSE' || tries === TRIES) throw unusable(path, messageOf(error), error);
      await clearAway(short, path);
    }
  }
  if (isTrustedSocket(path)) return;
  server.close();
  throw unusable(path, 'or its directory can be written to by others');
}

/** The socket takes its mode from the umask, which only this synchronous call sees. */
function bind(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const before = process.umask(SOCKET_UMASK);
    try {
      server.listen(path, () => {
        server.removeListener('error', reject);
        resolve();
      });
    } finally {
      process.umask(before);
    }
  });
}

/**
 * Removes a socket that nobody listens on. It is moved first and looked at once more: another daemon may
 * have come to the same conclusion, and have taken the place meanwhile.
 */
async function clearAway(short: string, path: string): Promise<void> {
  const found = await lstat(short).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw unusable(path, 'exists and is no socket');
  if (await answers(short)) throw running(path);
  const aside = `${short}.${process.pid}`;
  await rename(short, aside);
  if (await answers(aside)) {
    await rename(aside, short);
    throw running(path);
  }
  await rm(aside, { force: true });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    // One that does not even accept is alive all the same: the kernel has its queue.
    socket.setTimeout(CONNECT_MS, () => end(true));
    socket.once('connect', () => end(true));
    socket.once('error', (error) => end(systemErrorCode(error) === 'EAGAIN'));
  });
}

/**
 * Leaves a link at `place`, where the commands look, to a socket elsewhere. Nothing that answers there is
 * replaced: throws `daemon-running`, `daemon-socket`.
 */
export async function linkTo(socket: string, place: string): Promise<void> {
  const found = await lstat(place).catch(() => undefined);
  if (found !== undefined && (await readlink(place).catch(() => '')) !== socket) {
    if (await answers(place)) throw running(place);
  }
  const temporary = `${place}.${process.pid}`;
  try {
    await rm(temporary, { force: true });
    await symlink(socket, temporary);
    await rename(temporary, place);
  } catch (error) {
    throw unusable(place, messageOf(error), error);
  }
}

/** Takes the link away if it still leads to `socket`. */
export async function unlinkFrom(socket: string, place: string): Promise<void> {
  if ((await readlink(place).catch(() => undefined)) !== socket) return;
  await rm(place, { force: true });
}

function running(path: string): TsbkError {
  return new TsbkError('daemon-running', `another daemon answers on ${path}`, {
    hint: 'Stop it first, or give this one another socket.',
  });
}

function unusable(path: string, problem: string, cause?: unknown): TsbkError {
  return new TsbkError('daemon-socket', `${path} ${problem}`, {
    hint: `${dirname(path)} must be a directory of the user PostgreSQL runs as, mode 0755 or less. TSBK_DAEMON_SOCKET names another place.`,
    cause,
  });
}
