import { ERROR_CODES, type ErrorCode } from '../kernel/error-codes.ts';
import { TsbkError } from '../kernel/errors.ts';
import type { ReportEvent } from '../ports/report.ts';

/** What the calling thread tells a lane. One task at a time; `chunk` and `end` are its source. */
export type LaneOrder =
  | { readonly kind: 'start'; readonly task: string; readonly input: unknown }
  | { readonly kind: 'chunk'; readonly slab: number; readonly bytes: number }
  | { readonly kind: 'end' }
  | { readonly kind: 'stop'; readonly error: PortableError }
  | { readonly kind: 'close' };

/** What a lane tells the calling thread. `done` and `failed` end a task, and nothing else does. */
export type LaneWord =
  | { readonly kind: 'credit'; readonly slab: number }
  | { readonly kind: 'batch'; readonly batch: unknown }
  | { readonly kind: 'done'; readonly result: unknown }
  | { readonly kind: 'failed'; readonly error: PortableError }
  | { readonly kind: 'report'; readonly event: ReportEvent };

/** Memory through which raw bytes reach a lane: each slab is filled by one side, then read by the other. */
export type Slabs = readonly SharedArrayBuffer[];

/** An error as plain data: threads share no classes. */
export interface PortableError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** What a `TsbkError` has beyond that. */
  readonly tsbk?: {
    readonly code: ErrorCode;
    readonly hint: string | undefined;
    readonly retry: boolean;
  };
  readonly cause?: PortableError;
}

/** A chain of causes is told so far and no further: it may be a circle. */
const CAUSES_MAX = 4;

/** Takes an error apart for the other thread. */
export function toPortable(error: unknown, causes = CAUSES_MAX): PortableError {
  if (!(error instanceof Error)) {
    return { name: 'Error', message: String(error), stack: undefined };
  }
  const { name, message, stack, cause } = error;
  return {
    name,
    message,
    stack,
    ...(error instanceof TsbkError
      ? { tsbk: { code: error.code, hint: error.hint, retry: error.retry } }
      : {}),
    ...(cause === undefined || causes === 0 ? {} : { cause: toPortable(cause, causes - 1) }),
  };
}

/** Puts it together again, with the stack of where it happened. */
export function fromPortable({ name, message, stack, tsbk, cause }: PortableError): Error {
  const details = cause === undefined ? {} : { cause: fromPortable(cause) };
  const error =
    tsbk !== undefined && Object.hasOwn(ERROR_CODES, tsbk.code)
      ? new TsbkError(tsbk.code, message, { ...details, hint: tsbk.hint, retry: tsbk.retry })
      : new Error(message, details);
  // `name` of a TsbkError is its own already, and read-only.
  if (!(error instanceof TsbkError)) error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}
