import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** The operating-system user that servers run as. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

let known: { readonly user: ServerUser | undefined } | undefined;

/**
 * PostgreSQL refuses to run as root: then servers run as `postgres` if that user exists, else as
 * `nobody`. `undefined` when this process is not root: servers run as the user it has.
 */
export function serverUser(): ServerUser | undefined {
  known ??= { user: process.getuid?.() === 0 ? unprivilegedUser() : undefined };
  return known.user;
}

/** Makes the server's user the owner of a file or a whole directory. */
export function giveToServerUser(path: string): void {
  const user = serverUser();
  if (user === undefined) return;
  execFileSync('chown', ['-R', '-h', `${user.uid}:${user.gid}`, path]);
}

/** Whether the server's user can read a file, or list a directory, by its permission bits. */
export function canServerUserRead(path: string): boolean {
  const user = serverUser();
  if (user === undefined) return true;
  const wanted = statSync(path).isDirectory() ? 0o5 : 0o4;
  return allows(path, user, wanted) && ancestors(path).every((folder) => allows(folder, user, 0o1));
}

function unprivilegedUser(): ServerUser {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const fields = lines.find((line) => line.startsWith(`${name}:`))?.split(':');
    if (fields !== undefined) return { uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  throw new Error('running as root, and there is neither a user postgres nor a user nobody');
}

function ancestors(path: string): string[] {
  const found: string[] = [];
  let folder = dirname(resolve(path));
  while (folder !== dirname(folder)) {
    found.push(folder);
    folder = dirname(folder);
  }
  return [...found, folder];
}

function allows(path: string, user: ServerUser, bits: number): boolean {
  const { mode, uid, gid } = statSync(path);
  if (uid === user.uid) return ((mode >> 6) & bits) === bits;
  if (gid === user.gid) return ((mode >> 3) & bits) === bits;
  return (mode & bits) === bits;
}
