import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { S3Failure } from './failure.ts';
import type { S3Request } from './request.ts';
import type { State } from './state.ts';

/** What the signature of a head establishes, for the signatures of the chunks that follow. */
export interface Signed {
  readonly signature: string;
  readonly scope: string;
  readonly time: string;
  readonly key: Buffer;
}

const SKEW_MS = 15 * 60 * 1000;

/**
 * Verifies the `Authorization` header as AWS documents it (IAM user guide, "Create a signed AWS
 * API request"): scope, time, that every header that matters is signed, and the signature.
 */
export function verifySignature(state: State, request: S3Request): Signed {
  const { scope, signedHeaders, signature } = authorizationOf(request);
  const time = checkTime(request, scope);
  checkScope(state, scope);
  checkToken(state, request);
  checkCoverage(request, signedHeaders);
  const key = signingKey(state.secretAccessKey, scope);
  const canonical = canonicalRequest(request, signedHeaders);
  const scopeText = scope.slice(1).join('/');
  const toSign = ['AWS4-HMAC-SHA256', time, scopeText, sha256(canonical)].join('\n');
  checkEqual(signature, hmac(key, toSign).toString('hex'));
  return { signature, scope: scopeText, time, key };
}

/** Throws `SignatureDoesNotMatch`. */
export function checkEqual(given: string, expected: string): void {
  const isEqual =
    given.length === expected.length && timingSafeEqual(Buffer.from(given), Buffer.from(expected));
  if (isEqual) return;
  throw new S3Failure(403, 'SignatureDoesNotMatch', 'The signature is not the one expected');
}

export function hmac(key: Buffer | string, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest();
}

export function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

interface Authorization {
  /** Access key, date, region, service, `aws4_request`. */
  readonly scope: readonly string[];
  readonly signedHeaders: readonly string[];
  readonly signature: string;
}

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^, ]+), ?SignedHeaders=([^, ]+), ?Signature=([0-9a-f]{64})$/;

function authorizationOf({ headers }: S3Request): Authorization {
  const given = headers['authorization'];
  if (given === undefined) throw new S3Failure(403, 'AccessDenied', 'Anonymous access is refused');
  const match = AUTHORIZATION.exec(given);
  if (match === null) throw malformed('The authorization header cannot be read');
  const [, credential = '', signed = '', signature = ''] = match;
  return { scope: credential.split('/'), signedHeaders: signed.split(';'), signature };
}

function checkTime({ headers }: S3Request, [, day]: readonly string[]): string {
  const time = headers['x-amz-date'] ?? '';
  const [, date, hour, minute, second] =
    /^(\d{8})T(\d{2})(\d{2})(\d{2})Z$/.exec(time) ?? ([] as string[]);
  if (date === undefined || date !== day)
    throw malformed('The date is missing or not that of the scope');
  const iso = `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}`;
  const skew = Date.now() - Date.parse(`${iso}T${hour}:${minute}:${second}Z`);
  if (Math.abs(skew) <= SKEW_MS) return time;
  throw new S3Failure(403, 'RequestTimeTooSkewed', 'The clocks differ by more than 15 minutes');
}

function checkScope(state: State, scope: readonly string[]): void {
  const [accessKeyId, , region, service, end] = scope;
  if (accessKeyId !== state.accessKeyId) {
    throw new S3Failure(403, 'InvalidAccessKeyId', 'The access key does not exist');
  }
  if (service !== 's3' || end !== 'aws4_request') throw malformed('The scope is not one for S3');
  if (region !== state.region) {
    const message = `the region '${region}' is wrong; expecting '${state.region}'`;
    throw new S3Failure(400, 'AuthorizationHeaderMalformed', message, {
      'x-amz-bucket-region': state.region,
    });
  }
}

function checkToken(state: State, { headers }: S3Request): void {
  if (!state.modes.expiredTokens.has(headers['x-amz-security-token'] ?? '')) return;
  throw new S3Failure(400, 'ExpiredToken', 'The provided token has expired.');
}

function checkCoverage({ headers }: S3Request, signedHeaders: readonly string[]): void {
  const mustBeSigned = Object.keys(headers).filter(
    (name) => name === 'host' || name === 'content-md5' || name.startsWith('x-amz-'),
  );
  const unsigned = mustBeSigned.find((name) => !signedHeaders.includes(name));
  if (unsigned === undefined) return;
  throw new S3Failure(
    403,
    'AccessDenied',
    `There were headers present which were not signed: ${unsigned}`,
  );
}

function canonicalRequest(request: S3Request, signedHeaders: readonly string[]): string {
  const { method, rawPath, query, headers } = request;
  const pairs = [...query].map(([name, value]) => `${escape(name)}=${escape(value)}`);
  const lines = signedHeaders.map(
    (name) => `${name}:${(headers[name] ?? '').trim().replaceAll(/ +/g, ' ')}\n`,
  );
  return [
    method,
    rawPath,
    pairs.toSorted().join('&'),
    lines.join(''),
    signedHeaders.join(';'),
    headers['x-amz-content-sha256'] ?? '',
  ].join('\n');
}

function escape(value: string): string {
  return encodeURIComponent(value).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function signingKey(
  secret: string,
  [, day = '', region = '', service = '']: readonly string[],
): Buffer {
  const steps = [day, region, service, 'aws4_request'];
  let key: Buffer | string = `AWS4${secret}`;
  for (const step of steps) key = hmac(key, step);
  return Buffer.from(key);
}

function malformed(message: string): S3Failure {
  return new S3Failure(400, 'AuthorizationHeaderMalformed', message);
}
