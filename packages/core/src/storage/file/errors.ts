import { isTsbkError, messageOf, systemErrorCode, TsbkError } from '../../kernel/errors.ts';
import type { ErrorCode } from '../../kernel/error-codes.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly hint?: string;
  readonly retry?: boolean;
}

const FULL: Meaning = {
  code: 'store-full',
  hint: 'Free space or raise the quota on the file system of the repository.',
};
const DENIED: Meaning = {
  code: 'store-denied',
  hint: 'Give the user that runs tsbk the right to read and write the repository directory.',
};
const AGAIN: Meaning = { code: 'store-unreachable' };
const TOO_MANY: Meaning = {
  code: 'store-failed',
  retry: true,
  hint: 'Raise the limit of open files (ulimit -n).',
};

const MEANING: Readonly<Record<string, Meaning>> = {
  ENOSPC: FULL,
  EDQUOT: FULL,
  EFBIG: FULL,
  EACCES: DENIED,
  EPERM: DENIED,
  EROFS: DENIED,
  ETIMEDOUT: AGAIN,
  ESTALE: AGAIN,
  EAGAIN: AGAIN,
  EMFILE: TOO_MANY,
  ENFILE: TOO_MANY,
  ENAMETOOLONG: { code: 'unsafe-name' },
};

/**
 * The `TsbkError` for what a file operation threw. `what` is the beginning of the sentence
 * (`cannot write /repo/wal_005/x`). Aborts and errors that are ours already come back unchanged.
 */
export function fileError(error: unknown, what: string): unknown {
  const code = systemErrorCode(error);
  if (isTsbkError(error) || code === undefined) return error;
  const meaning = MEANING[code] ?? { code: 'store-failed' };
  return new TsbkError(meaning.code, `${what}: ${messageOf(error)}`, {
    cause: error,
    hint: meaning.hint,
    ...(meaning.retry === undefined ? {} : { retry: meaning.retry }),
  });
}

/** Whether the path does not exist: its last component, or a folder on the way to it. */
export function isAbsent(error: unknown): boolean {
  const code = systemErrorCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}
