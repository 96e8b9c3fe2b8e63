import type { ErrorCode } from '../../kernel/error-codes.ts';
import { isTsbkError, systemErrorCode, TsbkError } from '../../kernel/errors.ts';
import { NO_WORDS, S3Failure } from './wire/failure.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly retry?: boolean;
  readonly hint?: string;
}

const UNREACHABLE: Meaning = { code: 'store-unreachable' };
const THROTTLED: Meaning = { code: 'store-throttled' };
const FULL: Meaning = { code: 'store-full' };
const CORRUPT: Meaning = { code: 'store-corrupt-write' };
const CONFLICT: Meaning = { code: 'store-conflict' };
const DENIED: Meaning = {
  code: 'store-denied',
  hint: 'Check the credentials and the policy of the bucket. S3 also answers 403 for an object that does not exist if s3:ListBucket is missing.',
};
const CREDENTIALS: Meaning = {
  code: 'store-denied',
  hint: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or give the machine a role.',
};
const EXPIRED: Meaning = { code: 'store-denied', hint: 'Renew the session token.' };
const SKEWED: Meaning = {
  code: 'store-denied',
  retry: true,
  hint: 'The clock of this machine is wrong: synchronise it (NTP).',
};
const MISSING: Meaning = {
  code: 'store-missing',
  hint: 'Create the bucket, or correct the prefix, the endpoint or the region.',
};
const ELSEWHERE: Meaning = {
  code: 'store-failed',
  hint: 'The bucket is in another region: set AWS_REGION.',
};
const FROZEN: Meaning = {
  code: 'store-failed',
  hint: 'The object is in an archive storage class: restore it there first.',
};
const NOT_IMPLEMENTED: Meaning = {
  code: 'store-failed',
  hint: 'The service lacks something tsbk needs; `tsbk check` shows whether it is conditional writes.',
};

/** By S3's error code, or the name of an error of the SDK's, which finds the credentials. */
const BY_NAME: Readonly<Record<string, Meaning>> = {
  NoSuchBucket: MISSING,
  CredentialsProviderError: CREDENTIALS,
  InvalidAccessKeyId: CREDENTIALS,
  SignatureDoesNotMatch: CREDENTIALS,
  ExpiredToken: EXPIRED,
  ExpiredTokenException: EXPIRED,
  TokenRefreshRequired: EXPIRED,
  RequestTimeTooSkewed: SKEWED,
  RequestExpired: SKEWED,
  InvalidToken: CREDENTIALS,
  InvalidObjectState: FROZEN,
  AuthorizationHeaderMalformed: ELSEWHERE,
  PermanentRedirect: ELSEWHERE,
  TemporaryRedirect: ELSEWHERE,
  SlowDown: THROTTLED,
  TooManyRequests: THROTTLED,
  TooManyRequestsException: THROTTLED,
  RequestLimitExceeded: THROTTLED,
  Throttling: THROTTLED,
  ThrottlingException: THROTTLED,
  RequestTimeout: UNREACHABLE,
  InternalError: UNREACHABLE,
  ServiceUnavailable: UNREACHABLE,
  OperationAborted: CONFLICT,
  ConditionalRequestConflict: CONFLICT,
  BadDigest: CORRUPT,
  XAmzContentSHA256Mismatch: CORRUPT,
  XAmzContentChecksumMismatch: CORRUPT,
  IncompleteBody: CORRUPT,
  QuotaExceeded: FULL,
  XMinioStorageFull: FULL,
  XMinioAdminBucketQuotaExceeded: FULL,
  InsufficientStorage: FULL,
  NotImplemented: NOT_IMPLEMENTED,
  TimeoutError: { code: 'store-timeout' },
};

const BY_STATUS: Readonly<Record<number, Meaning>> = {
  401: DENIED,
  403: DENIED,
  408: UNREACHABLE,
  429: THROTTLED,
  499: UNREACHABLE,
  501: NOT_IMPLEMENTED,
  507: FULL,
};

const TLS =
  /^(?:CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH|EPROTO)/;

const NETWORK: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'EPIPE',
  'ETIMEDOUT',
  'EMFILE',
  'ERR_SOCKET_CLOSED',
  'HPE_INVALID_CONSTANT',
]);

/**
 * The `TsbkError` for what the client threw. `what` begins the sentence (`cannot put s3://b/k`).
 * Nothing of the error object is kept but its words: the SDK's hold headers and, for a wrong
 * signature, what was signed.
 */
export function s3Error(error: unknown, what: string): unknown {
  if (isTsbkError(error) || !(error instanceof Error)) return error;
  const { code, retry, hint } = meaningOf(error);
  return new TsbkError(code, `${what}: ${describe(error)}`, {
    hint,
    cause: wordsOf(error),
    ...(retry === undefined ? {} : { retry }),
  });
}

/** HTTP status of the answer that became this error, if there was one. */
export function httpStatus(error: unknown): number | undefined {
  if (error instanceof S3Failure) return error.status;
  const status = metadataOf(error)?.['httpStatusCode'];
  return typeof status === 'number' ? status : undefined;
}

/** Whether the credentials were good once: new ones from the same provider may be again. */
export function isExpired(error: unknown): boolean {
  return error instanceof Error && BY_NAME[error.name] === EXPIRED;
}

/** Whether S3 answered with this error code. */
export function isS3Error(error: unknown, ...names: readonly string[]): boolean {
  return error instanceof Error && names.includes(error.name);
}

function meaningOf(error: Error): Meaning {
  const status = httpStatus(error);
  const system = systemErrorCode(error) ?? '';
  // Before the name: the SDK calls a reset connection a TimeoutError, too.
  if (NETWORK.has(system)) return UNREACHABLE;
  const known = BY_NAME[error.name] ?? (status === undefined ? undefined : BY_STATUS[status]);
  if (known !== undefined) return known;
  if (status !== undefined && status >= 500) return UNREACHABLE;
  if (TLS.test(system)) return { code: 'store-tls' };
  // An answer that cannot be read was cut or changed on the way.
  const wasSuccess = status !== undefined && status >= 200 && status < 300;
  return { code: 'store-failed', retry: wasSuccess };
}

function describe(error: Error): string {
  const status = httpStatus(error);
  if (status === undefined) return wordsFor(error);
  const id = error instanceof S3Failure ? error.requestId : metadataOf(error)?.['requestId'];
  const request = typeof id === 'string' ? `, request ${id}` : '';
  return `${wordsFor(error)} (HTTP ${status}${request})`;
}

function wordsFor(error: Error): string {
  if (error.message === NO_WORDS) return 'the store did not say why';
  const isPlain = error.name === 'Error' || NETWORK.has(systemErrorCode(error) ?? '');
  return isPlain ? error.message : `${error.name}: ${error.message}`;
}

function metadataOf(error: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined;
  const metadata = error.$metadata;
  return typeof metadata === 'object' && metadata !== null ? { ...metadata } : undefined;
}

function wordsOf(error: Error): Error {
  const words = new Error(error.message);
  words.name = error.name;
  if (error.stack !== undefined) words.stack = error.stack;
  return words;
}
