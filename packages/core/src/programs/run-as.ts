import { execFile } from 'node:child_process';
import { lchown, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf, TsbkError } from '../kernel/errors.ts';

/** The user of the operating system that a program runs as. */
export interface SystemUser {
  readonly uid: number;
  readonly gid: number;
}

const run = promisify(execFile);

/** Throws `usage` for a user that this system does not know. */
export async function lookUpUser(
  name: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<SystemUser> {
  const id = async (what: string): Promise<number> => {
    const { stdout } = await run('id', [what, '--', name], { signal, timeout: 10_000 });
    return Number(stdout.trim());
  };
  try {
    return { uid: await id('-u'), gid: await id('-g') };
  } catch (error) {
    signal.throwIfAborted();
    throw new TsbkError('usage', `there is no user ${name}: ${messageOf(error)}`, { cause: error });
  }
}

/** Makes the user the owner of a directory and everything in it; links are not followed. */
export async function giveTo(
  { uid, gid }: SystemUser,
  path: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    signal.throwIfAborted();
    const child = join(path, entry.name);
    if (entry.isDirectory()) await giveTo({ uid, gid }, child, { signal });
    else await lchown(child, uid, gid);
  }
  await lchown(path, uid, gid);
}
