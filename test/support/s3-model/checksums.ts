import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { crc32c } from '@tsbk/core/format/crc32c';
import { invalidRequest, S3Failure } from './failure.ts';

const ALGORITHMS: Readonly<Record<string, (body: Buffer) => string>> = {
  crc32: (body) => uint32(crc32(body)),
  crc32c: (body) => uint32(crc32c(body)),
  sha1: (body) => createHash('sha1').update(body).digest('base64'),
  sha256: (body) => createHash('sha256').update(body).digest('base64'),
};

/**
 * Checks `Content-MD5` and every `x-amz-checksum-…` against the body, and returns the latter by
 * algorithm. Throws `BadDigest`, as S3 does, and `InvalidRequest` for what the model cannot check.
 */
export function checkChecksums(
  body: Buffer,
  headers: Readonly<Record<string, string>>,
): Record<string, string> {
  const md5 = headers['content-md5'];
  if (md5 !== undefined && md5 !== createHash('md5').update(body).digest('base64')) {
    throw new S3Failure(400, 'BadDigest', 'The Content-MD5 does not match the body');
  }
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const algorithm = /^x-amz-checksum-(crc32|crc32c|sha1|sha256|crc64nvme)$/.exec(name)?.[1];
    if (algorithm === undefined) continue;
    if (checksum(algorithm, body) !== value) {
      throw new S3Failure(400, 'BadDigest', `The ${algorithm} does not match the body`);
    }
    found[algorithm] = value;
  }
  const promised = headers['x-amz-sdk-checksum-algorithm']?.toLowerCase();
  if (promised !== undefined && found[promised] === undefined) {
    throw invalidRequest(`x-amz-sdk-checksum-algorithm says ${promised}, but there is none`);
  }
  return found;
}

/** The checksum of an object made of parts: that of their checksums' bytes, and their number. */
export function compositeChecksum(algorithm: string, parts: readonly string[]): string {
  const row = Buffer.concat(parts.map((part) => Buffer.from(part, 'base64')));
  return `${checksum(algorithm, row)}-${parts.length}`;
}

function checksum(algorithm: string, body: Buffer): string {
  const compute = ALGORITHMS[algorithm];
  if (compute === undefined) throw invalidRequest(`the model does not know ${algorithm}`);
  return compute(body);
}

function uint32(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes.toString('base64');
}
