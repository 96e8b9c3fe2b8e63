import { createHash, randomBytes } from 'node:crypto';
import { bucketOf, numberOf, type Answer, type Call } from './call.ts';
import { checkChecksums, compositeChecksum } from './checksums.ts';
import { accessDenied, invalidRequest, S3Failure } from './failure.ts';
import { checksumHeaders, etagOf } from './objects.ts';
import type { StoredPart, StoredUpload } from './state.ts';
import {
  checkLockRequirement,
  checkQuota,
  checkWriteConditions,
  customerKeyMd5,
  keptHeaders,
} from './write-conditions.ts';
import { documentOf, element, elementsOf, text, textOf, xmlDocument } from './xml.ts';

export function createMultipartUpload(call: Call): Answer {
  const bucket = bucketOf(call);
  const { headers } = call.payload;
  const upload: StoredUpload = {
    id: randomBytes(16).toString('hex'),
    key: call.request.key,
    begun: new Date(),
    headers: keptHeaders(headers),
    checksumAlgorithm: headers['x-amz-checksum-algorithm']?.toLowerCase(),
    customerKeyMd5: customerKeyMd5(headers),
    parts: new Map(),
  };
  bucket.uploads.set(upload.id, upload);
  const body = xmlDocument(
    'InitiateMultipartUploadResult',
    text('Bucket', bucket.name),
    text('Key', upload.key),
    text('UploadId', upload.id),
  );
  return { status: 200, body };
}

export function uploadPart(call: Call): Answer {
  const upload = uploadOf(call);
  const { body, headers } = call.payload;
  const { partsMax } = call.state.limits;
  const number = numberOf(call, 'partNumber', { least: 1, most: partsMax, absent: 0 });
  checkLockRequirement(call);
  const checksums = checkChecksums(body, headers);
  const unexpected = Object.keys(checksums).find((name) => name !== upload.checksumAlgorithm);
  if (unexpected !== undefined) {
    throw invalidRequest(
      `Checksum Type mismatch occurred, expected checksum Type: ${upload.checksumAlgorithm ?? 'null'}, actual checksum Type: ${unexpected}`,
    );
  }
  if (customerKeyMd5(headers) !== upload.customerKeyMd5) throw accessDenied();
  checkQuota(call, body.length);
  const part: StoredPart = { body, etag: etagOf(body, headers), modified: new Date(), checksums };
  upload.parts.set(number, part);
  return { status: 200, headers: { etag: part.etag, ...checksumHeaders(checksums) } };
}

export function completeMultipartUpload(call: Call): Answer {
  const bucket = bucketOf(call);
  const upload = uploadOf(call);
  const parts = namedParts(call, upload);
  checkWriteConditions(call);
  const algorithm = upload.checksumAlgorithm;
  const sums = algorithm === undefined ? [] : parts.map((part) => part.checksums[algorithm] ?? '');
  const checksums: Record<string, string> =
    algorithm === undefined ? {} : { [algorithm]: compositeChecksum(algorithm, sums) };
  const object = {
    body: Buffer.concat(parts.map((part) => part.body)),
    etag: compositeEtag(parts),
    modified: new Date(),
    headers: upload.headers,
    checksums,
    customerKeyMd5: upload.customerKeyMd5,
  };
  bucket.objects.set(upload.key, object);
  bucket.uploads.delete(upload.id);
  const body = xmlDocument(
    'CompleteMultipartUploadResult',
    text('Bucket', bucket.name),
    text('Key', upload.key),
    text('ETag', object.etag),
    text('ChecksumCRC32', checksums['crc32']),
  );
  return { status: 200, body };
}

export function abortMultipartUpload(call: Call): Answer {
  bucketOf(call).uploads.delete(uploadOf(call).id);
  return { status: 204 };
}

export function listParts(call: Call): Answer {
  const upload = uploadOf(call);
  const marker = numberOf(call, 'part-number-marker', { least: 0, most: 10_000, absent: 0 });
  const most = numberOf(call, 'max-parts', { least: 1, most: 1000, absent: 1000 });
  const after = [...upload.parts]
    .filter(([number]) => number > marker)
    .toSorted(([a], [b]) => a - b);
  const page = after.slice(0, most);
  const body = xmlDocument(
    'ListPartsResult',
    text('Bucket', call.request.bucket),
    text('Key', upload.key),
    text('UploadId', upload.id),
    text('IsTruncated', after.length > most),
    text('NextPartNumberMarker', page.at(-1)?.[0]),
    ...page.map(([number, part]) =>
      element(
        'Part',
        text('PartNumber', number),
        text('ETag', part.etag),
        text('Size', part.body.length),
        text('LastModified', part.modified.toISOString()),
      ),
    ),
  );
  return { status: 200, body };
}

function uploadOf(call: Call): StoredUpload {
  const upload = bucketOf(call).uploads.get(call.request.query.get('uploadId') ?? '');
  if (upload !== undefined && upload.key === call.request.key) return upload;
  throw new S3Failure(404, 'NoSuchUpload', 'The specified upload does not exist');
}

/** The parts that the request names. Throws what S3 throws for each way to name them wrongly. */
function namedParts(call: Call, upload: StoredUpload): StoredPart[] {
  const document = documentOf(call.payload.body, 'CompleteMultipartUpload');
  const named = elementsOf(document, 'Part');
  if (named.length === 0) throw new S3Failure(400, 'MalformedXML', 'The list of parts is empty');
  const numbers = named.map((xml) => Number(textOf(xml, 'PartNumber')));
  if (numbers.some((number, index) => !(number > (numbers[index - 1] ?? 0)))) {
    throw new S3Failure(400, 'InvalidPartOrder', 'The parts are not in ascending order');
  }
  return named.map((xml, index) => {
    const number = numbers[index] ?? 0;
    const part = upload.parts.get(number);
    if (part === undefined || unquoted(textOf(xml, 'ETag')) !== unquoted(part.etag)) {
      throw new S3Failure(400, 'InvalidPart', `Part ${number} was not found or has another ETag`);
    }
    checkPartChecksum(upload, part, xml);
    const isLast = index === named.length - 1;
    if (!isLast && part.body.length < call.state.limits.partBytesMin) {
      throw new S3Failure(400, 'EntityTooSmall', `Part ${number} is smaller than allowed`);
    }
    return part;
  });
}

function checkPartChecksum(
  { checksumAlgorithm }: StoredUpload,
  part: StoredPart,
  xml: string,
): void {
  if (checksumAlgorithm === undefined) return;
  const given = textOf(xml, `Checksum${checksumAlgorithm.toUpperCase()}`);
  if (given === undefined) {
    throw invalidRequest(
      `The upload was created using a ${checksumAlgorithm} checksum. The complete request must include the checksum for each part.`,
    );
  }
  if (given !== part.checksums[checksumAlgorithm]) {
    throw new S3Failure(400, 'InvalidPart', 'The checksum of a part is another');
  }
}

function compositeEtag(parts: readonly StoredPart[]): string {
  const row = Buffer.concat(parts.map((part) => Buffer.from(unquoted(part.etag), 'hex')));
  return `"${createHash('md5').update(row).digest('hex')}-${parts.length}"`;
}

function unquoted(etag: string | undefined): string {
  return (etag ?? '').replaceAll('"', '');
}
