import type { ServerResponse } from 'node:http';
import type { Answer } from './call.ts';
import { S3Failure } from './failure.ts';
import type { Fault } from './rules.ts';
import { errorDocument } from './xml.ts';

/** The answer for something that was thrown. */
export function failureAnswer(failure: S3Failure, resource: string, method: string): Answer {
  return {
    status: failure.status,
    headers: { 'content-type': 'application/xml', ...failure.headers },
    // Answers to HEAD have no body: 404 cannot say what is missing.
    ...(method === 'HEAD' ? {} : { body: errorDocument(failure, resource) }),
  };
}

/** Sends an answer, as the fault wants it. */
export function sendAnswer(
  response: ServerResponse,
  answer: Answer,
  fault: Fault | undefined,
  method: string,
): void {
  const { status, headers = {}, body = Buffer.alloc(0) } = answer;
  const length = method === 'HEAD' ? {} : { 'content-length': String(body.length) };
  const all: Record<string, string> = { 'x-amz-request-id': 'MODEL', ...length, ...headers };
  if (fault === undefined) {
    response.writeHead(status, all).end(body);
    return;
  }
  switch (fault.kind) {
    case 'lost-answer':
      response.destroy();
      return;
    case 'empty-answer':
      response.writeHead(status, { ...all, 'content-length': '0' }).end();
      return;
    case 'error-in-200': {
      const failure = new S3Failure(200, fault.code, 'We encountered an internal error.');
      const document = errorDocument(failure, '');
      response.writeHead(200, { 'content-type': 'application/xml' });
      response.write('\n  \n');
      response.end(document);
      return;
    }
    case 'cut-answer':
      sendCut(response, { status, headers: all, body }, fault.announced);
      return;
    case 'corrupt-answer': {
      const changed = Buffer.from(body);
      const middle = changed.length >> 1;
      changed.writeUInt8((changed[middle] ?? 0) ^ 1, middle);
      response.writeHead(status, all).end(changed);
      return;
    }
    case 'trickle':
      sendTrickle(response, { status, headers: all, body });
      return;
    case 'strip-headers':
      response.writeHead(status, withoutHeaders(all, fault.names)).end(body);
      return;
    case 'delay':
    case 'drop':
    case 'reset':
    case 'half-request':
    case 'hang':
    case 'slow-intake':
    case 'status':
    case 'foreign-page':
    case 'kill':
    case 'kill-after':
    case 'swallow':
      response.writeHead(status, all).end(body);
  }
}

interface Whole {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

function sendCut(response: ServerResponse, whole: Whole, announced: boolean): void {
  const { status, headers, body } = whole;
  const half = body.subarray(0, body.length >> 1);
  const kept = announced ? headers : withoutHeaders(headers, ['content-length']);
  // Without a length the end of the connection is the end of the body, and looks regular.
  response.shouldKeepAlive = false;
  response.useChunkedEncodingByDefault = false;
  response.writeHead(status, kept);
  response.write(half, () => response.socket?.end());
}

function sendTrickle(response: ServerResponse, { status, headers, body }: Whole): void {
  let at = body.length >> 1;
  response.writeHead(status, headers).write(body.subarray(0, at));
  const timer = setInterval(() => {
    if (response.destroyed || at >= body.length) {
      clearInterval(timer);
      response.end();
      return;
    }
    response.write(body.subarray(at, at + 1));
    at += 1;
  }, 10);
}

function withoutHeaders(
  headers: Readonly<Record<string, string>>,
  names: readonly string[],
): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
}
