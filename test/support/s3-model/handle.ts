import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from './call.ts';
import { dispatch } from './dispatch.ts';
import { S3Failure } from './failure.ts';
import { NO_ANSWER, takeBody } from './intake.ts';
import { payloadOf } from './payload.ts';
import { readHead, type S3Request } from './request.ts';
import type { Fault, RuleBook } from './rules.ts';
import { failureAnswer, sendAnswer } from './send.ts';
import { verifySignature } from './sigv4.ts';
import type { State } from './state.ts';

/** A request that came, for tests to look at. */
export interface LoggedRequest {
  readonly operation: string;
  readonly method: string;
  readonly bucket: string;
  readonly key: string;
  readonly part: number | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Of the answer; `undefined` if there was none. */
  status: number | undefined;
}

export interface Handling {
  readonly state: State;
  readonly rules: RuleBook;
  readonly log: LoggedRequest[];
}

/** One request: head, fault, body, signature, work, answer. */
export async function handle(
  { state, rules, log }: Handling,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const request = readHead(message);
  const { operation, method, bucket, key, headers } = request;
  const part = Number(request.query.get('partNumber')) || undefined;
  const entry: LoggedRequest = { operation, method, bucket, key, part, headers, status: undefined };
  log.push(entry);
  const fault = rules.faultFor(request);
  if (fault !== undefined && (await strikeBefore(fault, message, response))) return;
  const body = await takeBody(message, fault);
  if (body === NO_ANSWER) return;
  const answer = answerTo({ state, request, body }, fault);
  if (fault?.kind === 'kill-after') process.kill(fault.pid, 'SIGKILL');
  entry.status = answer.status;
  sendAnswer(response, answer, fault, method);
}

interface Work {
  readonly state: State;
  readonly request: S3Request;
  readonly body: Buffer;
}

function answerTo(given: Work, fault: Fault | undefined): Answer {
  if (fault?.kind === 'error-in-200') return { status: 200 };
  const objects = given.state.buckets.get(given.request.bucket)?.objects;
  const before = objects?.get(given.request.key);
  const answer = work(given);
  if (fault?.kind !== 'swallow') return answer;
  if (before === undefined) objects?.delete(given.request.key);
  else objects?.set(given.request.key, before);
  return answer;
}

function work({ state, request, body }: Work): Answer {
  try {
    checkLength(request);
    const signed = verifySignature(state, request);
    return dispatch({ state, request, payload: payloadOf(request, body, signed) });
  } catch (error) {
    if (error instanceof S3Failure) return failureAnswer(error, request.rawPath, request.method);
    throw error;
  }
}

function checkLength({ method, headers }: S3Request): void {
  const length = headers['x-amz-decoded-content-length'] ?? headers['content-length'];
  if (method !== 'PUT' || length !== undefined) return;
  throw new S3Failure(411, 'MissingContentLength', 'You must provide the Content-Length header.');
}

/** Returns whether that was all there is to do. */
async function strikeBefore(
  fault: Fault,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  switch (fault.kind) {
    case 'delay':
      await sleep(fault.ms);
      return false;
    case 'drop':
      message.socket.destroy();
      return true;
    case 'reset':
      message.socket.resetAndDestroy();
      return true;
    case 'hang':
      message.resume();
      return true;
    case 'kill':
      process.kill(fault.pid, 'SIGKILL');
      return true;
    case 'status': {
      message.resume();
      const failure = new S3Failure(fault.status, fault.code, 'The model was told to fail');
      const method = message.method ?? '';
      sendAnswer(response, failureAnswer(failure, message.url ?? '', method), undefined, method);
      return true;
    }
    case 'foreign-page':
      message.resume();
      response.writeHead(fault.status, { 'content-type': 'text/html' });
      response.end('<html><body>No such page</body></html>');
      return true;
    case 'half-request':
    case 'slow-intake':
    case 'error-in-200':
    case 'swallow':
    case 'lost-answer':
    case 'kill-after':
    case 'empty-answer':
    case 'cut-answer':
    case 'corrupt-answer':
    case 'trickle':
    case 'strip-headers':
      return false;
  }
}
