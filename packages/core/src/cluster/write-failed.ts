import { messageOf, systemErrorCode, TsbkError } from '../kernel/errors.ts';

const FULL = new Set(['ENOSPC', 'EDQUOT']);

/** The error for something that could not be made below a directory to restore into. */
export function writeFailed(what: string, error: unknown): TsbkError {
  if (error instanceof TsbkError) return error;
  const isFull = FULL.has(systemErrorCode(error) ?? '');
  const hint = isFull
    ? 'Free some space, or map tablespaces to other file systems.'
    : 'Look at the owner and the mode of the directory, and at the kernel log for the disk.';
  const message = `cannot write ${what}: ${messageOf(error)}`;
  return new TsbkError(isFull ? 'disk-full' : 'restore-failed', message, { hint, cause: error });
}
