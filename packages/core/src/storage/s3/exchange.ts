import { isTsbkError, TsbkError } from '../../kernel/errors.ts';
import { orAbort } from '../../stream/abort.ts';
import { isExpired, s3Error } from './errors.ts';
import { REQUEST_TIMEOUT_MS } from './options.ts';
import type { S3Target } from './target.ts';

export interface Exchange {
  /** Beginning of the sentence if it fails: `cannot put s3://bucket/key`. */
  readonly what: string;
  readonly signal: AbortSignal;
  /** Size of the body that is sent. */
  readonly bytes?: number;
}

/** A slower line than this cannot carry a backup; a server that trickles is no server. */
const BYTES_PER_MS_MIN = 16;

/**
 * One request and the head of its answer. Throws the signal's reason when it aborts, and
 * `store-timeout` when the answer takes longer than the request timeout plus the time that the
 * body needs at 16 KB/s; that the socket stands still is found sooner, by the client's own timeout.
 */
export async function exchange<T>(
  target: S3Target,
  { what, signal, bytes = 0 }: Exchange,
  send: (abortSignal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const request = new AbortController();
  const forward = (): void => request.abort(signal.reason);
  signal.addEventListener('abort', forward, { once: true });
  const { requestTimeoutMs = REQUEST_TIMEOUT_MS } = target.options;
  const timer = setTimeout(() => request.abort(), requestTimeoutMs + bytes / BYTES_PER_MS_MIN);
  try {
    return await orAbort(send(request.signal), request.signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!request.signal.aborted) throw await withRenewal(target, error, s3Error(error, what));
    throw new TsbkError('store-timeout', `${what}: no answer in ${requestTimeoutMs} ms`);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', forward);
  }
}

/**
 * Credentials are renewed some minutes before they expire; if S3 says that they have all the same
 * (a clock is wrong, a session was revoked), they are asked for anew, and it is worth trying again.
 */
async function withRenewal(target: S3Target, thrown: unknown, error: unknown): Promise<unknown> {
  const { accessKeyId, roleArn } = target.options;
  const areFixed = accessKeyId !== undefined && roleArn === undefined;
  if (areFixed || !isExpired(thrown) || !isTsbkError(error)) return error;
  try {
    await target.client.renewCredentials();
  } catch {
    return error;
  }
  const { code, message, hint, cause } = error;
  return new TsbkError(code, message, { hint, cause, retry: true });
}
