import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { failureOf, S3Failure, UNREADABLE } from './failure.ts';
import type { S3Answer } from './s3-client.ts';
import { parseXml, type XmlElement } from './xml.ts';

/** Many times what a thousand of the longest keys need. */
const TEXT_BYTES_MAX = 32 * 1024 * 1024;

/** All of a body that is text. Throws the network's error if it is cut, and an `S3Failure` if it has no end. */
export async function readText(answer: IncomingMessage, signal: AbortSignal): Promise<string> {
  const onAbort = (): void => {
    answer.destroy();
  };
  signal.addEventListener('abort', onAbort, { once: true });
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of answer) {
      chunks.push(chunk as Buffer);
      bytes += (chunk as Buffer).length;
      if (bytes > TEXT_BYTES_MAX) throw unreadable('it has no end', statusOf(answer));
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
  signal.throwIfAborted();
  return Buffer.concat(chunks).toString('utf8');
}

/** The failure that an answer is: by its status, or, which S3 does, inside of a success. */
export function refused(
  text: string,
  answer: {
    readonly status: number;
    readonly headers: IncomingHttpHeaders;
    readonly isSuccess: boolean;
  },
): S3Failure | undefined {
  const { status, headers, isSuccess } = answer;
  if (isSuccess && !/<(?:\w+:)?Error[\s>]/.test(text)) return undefined;
  const failure = failureOf(text, {
    status,
    requestId: headerOf(headers, 'x-amz-request-id'),
    region: headerOf(headers, 'x-amz-bucket-region'),
  });
  return isSuccess && failure.name.startsWith('HTTP') ? undefined : failure;
}

/** The root of an answer. Throws an `S3Failure` for an answer that is not whole, or not of S3. */
export function documentOf({ text, status }: S3Answer, root: string): XmlElement {
  const found = parseXml(text);
  if (found?.name === root) return found;
  throw unreadable(`it is not a ${root}, whole`, status);
}

/** A header that stands once. */
export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

function statusOf({ statusCode = 0 }: IncomingMessage): number {
  return statusCode;
}

function unreadable(why: string, status: number): S3Failure {
  return new S3Failure(UNREADABLE, `the answer cannot be read: ${why}`, { status });
}
