import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { isTsbkError, TsbkError } from '../../kernel/errors.ts';
import { s3Error } from './errors.ts';

function answer(name: string, httpStatusCode: number, message = 'words'): Error {
  const error = Object.assign(new Error(message), {
    $metadata: { httpStatusCode, requestId: 'R1' },
  });
  error.name = name;
  return error;
}

function network(code: string, name = 'Error'): Error {
  const error = Object.assign(new Error(`read ${code}`), { code });
  error.name = name;
  return error;
}

function check(error: Error, code: string, retry: boolean): void {
  const result = s3Error(error, 'cannot put s3://b/k');
  assert.ok(isTsbkError(result));
  assert.deepEqual({ code: result.code, retry: result.retry }, { code, retry });
}

describe('an answer of S3', () => {
  const answers = [
    ['NoSuchBucket', 404, 'store-missing', false],
    ['AccessDenied', 403, 'store-denied', false],
    ['InvalidAccessKeyId', 403, 'store-denied', false],
    ['SignatureDoesNotMatch', 403, 'store-denied', false],
    ['RequestTimeTooSkewed', 403, 'store-denied', true],
    ['ExpiredToken', 400, 'store-denied', false],
    ['Forbidden', 403, 'store-denied', false],
    ['SlowDown', 503, 'store-throttled', true],
    ['InternalError', 500, 'store-unreachable', true],
    ['Whatever', 599, 'store-unreachable', true],
    ['ConditionalRequestConflict', 409, 'store-conflict', true],
    ['QuotaExceeded', 403, 'store-full', false],
    ['Whatever', 507, 'store-full', false],
    ['BadDigest', 400, 'store-corrupt-write', true],
    ['PermanentRedirect', 301, 'store-failed', false],
    ['InvalidObjectState', 403, 'store-failed', false],
    ['NotImplemented', 501, 'store-failed', false],
    ['NoSuchUpload', 404, 'store-failed', false],
    ['SyntaxError', 200, 'store-failed', true],
  ] as const;
  for (const [name, status, code, retry] of answers) {
    it(`${status} ${name} is ${code}${retry ? ', to be tried again' : ''}`, () => {
      check(answer(name, status), code, retry);
    });
  }

  it('is quoted with its status and request', () => {
    const result = s3Error(answer('AccessDenied', 403), 'cannot put s3://b/k') as TsbkError;
    assert.equal(result.message, 'cannot put s3://b/k: AccessDenied: words (HTTP 403, request R1)');
    const silent = s3Error(answer('Unknown', 400, 'UnknownError'), 'cannot look') as TsbkError;
    assert.equal(silent.message, 'cannot look: the store did not say why (HTTP 400, request R1)');
  });

  it('is kept as words only: the SDK adds what was signed', () => {
    const error = Object.assign(answer('SignatureDoesNotMatch', 403), {
      StringToSign: 'AWS4 canary',
      $response: { headers: { 'x-amz-security-token': 'canary' } },
    });
    assert.doesNotMatch(inspect(s3Error(error, 'x'), { depth: 9, showHidden: true }), /canary/);
  });
});

describe('a failure of the network', () => {
  for (const code of [
    'ECONNREFUSED',
    'ECONNRESET',
    'ENOTFOUND',
    'EAI_AGAIN',
    'EPIPE',
    'ETIMEDOUT',
  ]) {
    it(`${code} is store-unreachable, also if the SDK calls it a timeout`, () => {
      check(network(code), 'store-unreachable', true);
      check(network(code, 'TimeoutError'), 'store-unreachable', true);
    });
  }

  for (const code of [
    'CERT_HAS_EXPIRED',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'ERR_TLS_CERT_ALTNAME_INVALID',
  ]) {
    it(`${code} is store-tls, and never tried again`, () =>
      check(network(code), 'store-tls', false));
  }

  it('without a code, but a timeout by name, is store-timeout', () => {
    const error = new Error('the socket stood still');
    error.name = 'TimeoutError';
    check(error, 'store-timeout', true);
  });
});

describe('something else', () => {
  it('stays what it is', () => {
    for (const thrown of [new TsbkError('store-full', 'x'), 'text', undefined]) {
      assert.equal(s3Error(thrown, 'x'), thrown);
    }
  });
});
