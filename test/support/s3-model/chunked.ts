import { invalidRequest, S3Failure } from './failure.ts';
import { checkEqual, hmac, sha256, type Signed } from './sigv4.ts';

export interface Unchunked {
  readonly body: Buffer;
  /** What came after the body, in lower case. */
  readonly trailers: Readonly<Record<string, string>>;
}

const EMPTY = sha256('');

/**
 * Takes `aws-chunked` apart: `size;chunk-signature=…\r\nbytes\r\n`, up to a chunk of no bytes, then
 * the trailers (S3 API reference, "Signature calculations: transferring a payload in chunks").
 * Signatures are verified if the payload is declared as signed.
 */
export function unchunk(sent: Buffer, declared: string, signed: Signed): Unchunked {
  const isSigned = declared.startsWith('STREAMING-AWS4-HMAC-SHA256-PAYLOAD');
  const pieces: Buffer[] = [];
  let previous = signed.signature;
  let at = 0;
  for (;;) {
    const end = sent.indexOf('\r\n', at);
    const head = /^([0-9a-f]+)(?:;chunk-signature=([0-9a-f]{64}))?$/i.exec(
      sent.subarray(at, Math.max(at, end)).toString(),
    );
    if (head?.[1] === undefined) throw incomplete();
    const bytes = Number.parseInt(head[1], 16);
    const piece = sent.subarray(end + 2, end + 2 + bytes);
    if (piece.length < bytes) throw incomplete();
    if (isSigned) previous = checkChunk(piece, { previous, given: head[2] ?? '', signed });
    at = end + 2 + bytes;
    if (bytes === 0) break;
    pieces.push(piece);
    at += 2;
  }
  return { body: Buffer.concat(pieces), trailers: trailersOf(sent.subarray(at).toString()) };
}

function checkChunk(
  piece: Buffer,
  { previous, given, signed }: { previous: string; given: string; signed: Signed },
): string {
  const toSign = [
    'AWS4-HMAC-SHA256-PAYLOAD',
    signed.time,
    signed.scope,
    previous,
    EMPTY,
    sha256(piece),
  ].join('\n');
  checkEqual(given, hmac(signed.key, toSign).toString('hex'));
  return given;
}

function trailersOf(rest: string): Record<string, string> {
  const trailers: Record<string, string> = {};
  for (const line of rest.split('\r\n').filter((part) => part !== '')) {
    const colon = line.indexOf(':');
    if (colon < 0) throw invalidRequest(`${line} is no trailer`);
    trailers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return trailers;
}

function incomplete(): S3Failure {
  return new S3Failure(400, 'IncompleteBody', 'The body ended before its last chunk');
}
