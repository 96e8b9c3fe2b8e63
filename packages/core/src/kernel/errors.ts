import { ERROR_CODES, type ErrorCode } from './error-codes.ts';

export interface ErrorDetails {
  /** What the reader should do next, one sentence. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
  /** Overrides the table's word on whether trying again can help. */
  readonly retry?: boolean;
}

/**
 * The only error that tsbk throws on purpose. The message says what happened and to which object;
 * the hint what to do next. Anything else that is thrown is a bug (or an abort's reason).
 */
export class TsbkError extends Error {
  override readonly name = 'TsbkError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly retry: boolean;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.retry = details.retry ?? ERROR_CODES[code].retry;
  }
}

/** Whether `error` is a `TsbkError` with this code (any, if none is given). */
export function isTsbkError(error: unknown, code?: ErrorCode): error is TsbkError {
  return error instanceof TsbkError && (code === undefined || error.code === code);
}

/** `error.code` of a Node.js system error (`ENOENT`, `ECONNREFUSED`), if it is one. */
export function systemErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
