import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  ASKED_HEADER,
  DIRECTORY_HEADER,
  EXIT_HEADER,
  PLACE_HEADER,
  SIGN_OF_LIFE_MS,
} from '@tsbk/core/engine/daemon-words';
import { TsbkError } from '@tsbk/core/kernel/errors';
import { failure, refusal, type Answer } from './answer.ts';
import { EXPOSITION_TYPE } from './exposition.ts';
import type { Pages, WalRequest } from './routes.ts';

const HEADER_BYTES_MAX = 8 * 1024;
/** No request has a body. What `curl --data` and the like add is passed over up to here. */
const BODY_BYTES_MAX = 4096;

interface HttpOptions {
  readonly pages: Pages;
  readonly wal: (request: WalRequest) => Promise<Answer>;
}

/**
 * The HTTP side of the daemon, for connections that are handed to it by `emit('connection')`. One
 * request a connection: whoever comes by `curl` or as a command has no second one.
 */
export function httpServer(options: HttpOptions): Server {
  const server = createServer({ maxHeaderSize: HEADER_BYTES_MAX, keepAlive: false });
  server.on('request', (request, response) => {
    response.setHeader('Connection', 'close');
    response.on('error', () => undefined);
    void serve(request, response, options).catch((error: unknown) =>
      answer(response, failure(error)),
    );
  });
  return server;
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  { pages, wal }: HttpOptions,
): Promise<void> {
  const { method = '', url = '' } = request;
  if (hasBody(request)) return answer(response, refusal(413, 'requests have no body'));
  request.resume();
  if (method === 'GET' || method === 'HEAD') {
    if (url === '/healthz') return answer(response, pages.health());
    if (url === '/metrics') {
      return send(response, 200, await pages.metrics(), { 'Content-Type': EXPOSITION_TYPE });
    }
  }
  const gone = new AbortController();
  response.once('close', () => {
    gone.abort(new TsbkError('interrupted', 'the client went away before it had its answer'));
  });
  const place = header(request, PLACE_HEADER);
  // Others than our commands need not understand it.
  const stopSigns = place === undefined ? undefined : showLife(response);
  try {
    const directory = header(request, DIRECTORY_HEADER);
    // Without a place nobody has said that it means this archive.
    const asked = place === undefined ? undefined : header(request, ASKED_HEADER);
    const { signal } = gone;
    answer(response, await wal({ method, target: url, place, directory, asked, signal }));
  } finally {
    stopSigns?.();
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  const bytes = Number(headers['content-length'] ?? 0);
  return headers['transfer-encoding'] !== undefined || !(bytes <= BODY_BYTES_MAX);
}

function header({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}

/** Tells a command that waits that somebody is at it: it takes silence for a daemon that hangs. */
function showLife(response: ServerResponse): () => void {
  const timer = setInterval(() => {
    if (!response.headersSent && !response.destroyed) response.writeProcessing();
  }, SIGN_OF_LIFE_MS);
  return () => clearInterval(timer);
}

function answer(response: ServerResponse, { status, exitCode, lines }: Answer): void {
  const text = lines.map((line) => `${line}\n`).join('');
  const exit = exitCode === undefined ? {} : { [EXIT_HEADER]: exitCode };
  send(response, status, text, { 'Content-Type': 'text/plain; charset=utf-8', ...exit });
}

/** Whoever has had an answer, or has gone, gets none. */
function send(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string | number>>,
): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}
