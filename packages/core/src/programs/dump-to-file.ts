import { spawn } from 'node:child_process';
import { link, open, rm } from 'node:fs/promises';
import { messageOf, systemErrorCode, TsbkError } from '../kernel/errors.ts';
import type { SystemUser } from './run-as.ts';

export interface DumpOptions {
  readonly command: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly user: SystemUser | undefined;
  readonly signal: AbortSignal;
}

const COMPLAINT_BYTES_MAX = 4096;

/**
 * Runs a program whose output becomes a file: the file is there when all of it is on the disk, and
 * nothing is ever replaced. Gives its length. Throws `extract-failed`, `target-not-empty`, or the
 * signal's reason.
 */
export async function dumpToFile(path: string, options: DumpOptions): Promise<number> {
  const partial = `${path}.tsbk-partial`;
  const file = await open(partial, 'wx', 0o600).catch((error: unknown) => {
    throw cannotWrite(partial, error);
  });
  try {
    await run(file.fd, options);
    await file.sync();
    const { size } = await file.stat();
    await link(partial, path).catch((error: unknown) => {
      throw cannotWrite(path, error);
    });
    return size;
  } finally {
    await file.close();
    await rm(partial, { force: true });
  }
}

async function run(
  fd: number,
  { command: [program, ...args], environment, user, signal }: DumpOptions,
): Promise<void> {
  signal.throwIfAborted();
  const child = spawn(program, args, {
    env: { ...environment },
    stdio: ['ignore', fd, 'pipe'],
    cwd: '/',
    ...user,
  });
  const kill = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', kill);
  let complaint = Buffer.alloc(0);
  child.stderr?.on('data', (chunk: Buffer) => {
    complaint = Buffer.concat([complaint, chunk]).subarray(-COMPLAINT_BYTES_MAX);
  });
  try {
    const ending = await new Promise<string | undefined>((resolve) => {
      child.once('error', (error) => resolve(messageOf(error)));
      child.once('close', (code, killedBy) => {
        resolve(code === 0 ? undefined : (killedBy ?? `exit code ${code}`));
      });
    });
    signal.throwIfAborted();
    if (ending === undefined) return;
    const said = complaint.toString('utf8').trim();
    throw new TsbkError('extract-failed', `${program} failed, ${ending}: ${said}`);
  } finally {
    signal.removeEventListener('abort', kill);
  }
}

function cannotWrite(path: string, error: unknown): TsbkError {
  if (systemErrorCode(error) === 'EEXIST') {
    return new TsbkError('target-not-empty', `${path} exists`, { hint: 'Give another --out.' });
  }
  return new TsbkError('extract-failed', `${path} cannot be written: ${messageOf(error)}`, {
    cause: error,
  });
}
