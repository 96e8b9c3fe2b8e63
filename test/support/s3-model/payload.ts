import { unchunk } from './chunked.ts';
import { invalidRequest, S3Failure } from './failure.ts';
import type { S3Request } from './request.ts';
import { sha256, type Signed } from './sigv4.ts';

/** The body that was meant, and all headers, those of the trailer among them. */
export interface Payload {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Checks the body against `x-amz-content-sha256`, and takes apart what is sent in chunks. The model
 * refuses `UNSIGNED-PAYLOAD`: nothing of ours may send it, least of all without TLS.
 */
export function payloadOf(request: S3Request, sent: Buffer, signed: Signed): Payload {
  const { headers } = request;
  const declared = headers['x-amz-content-sha256'];
  if (declared === undefined) throw invalidRequest('x-amz-content-sha256 is missing');
  if (declared.startsWith('STREAMING-')) return streamed(headers, sent, { declared, signed });
  if (!/^[0-9a-f]{64}$/.test(declared)) throw invalidRequest(`${declared} is not accepted here`);
  if (declared !== sha256(sent)) {
    throw new S3Failure(
      400,
      'XAmzContentSHA256Mismatch',
      'The body is not the one that was signed',
    );
  }
  return { body: sent, headers };
}

function streamed(
  headers: S3Request['headers'],
  sent: Buffer,
  { declared, signed }: { readonly declared: string; readonly signed: Signed },
): Payload {
  const { body, trailers } = unchunk(sent, declared, signed);
  if (String(body.length) !== headers['x-amz-decoded-content-length']) {
    throw new S3Failure(400, 'IncompleteBody', 'The body does not have its decoded length');
  }
  const announced = headers['x-amz-trailer'];
  if (announced !== undefined && trailers[announced.toLowerCase()] === undefined) {
    throw new S3Failure(400, 'MalformedTrailerError', `the trailer ${announced} is missing`);
  }
  return { body, headers: { ...headers, ...trailers } };
}
