import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';

/** One request on its way to one host. */
export interface HttpRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
}

/** Connections to one host, used again. */
export interface HttpHost {
  /**
   * Sends a request; resolves with the head of the answer, whose body the caller must read or destroy.
   * Rejects with the network's error, and with a `TimeoutError` when no connection comes about or, of
   * a request that sends something, the socket stands still.
   */
  exchange(request: HttpRequest, signal: AbortSignal): Promise<IncomingMessage>;
  destroy(): void;
}

export interface HttpHostOptions {
  readonly url: URL;
  /** Certificates (PEM) to trust instead of those that Node.js brings. */
  readonly ca?: Buffer | undefined;
  readonly connectTimeoutMs: number;
  /** A download is not given up for this: its reader may be busy with what it has. */
  readonly idleTimeoutMs: number;
}

/** More connections than all lanes of a backup together use. */
const SOCKETS_MAX = 256;

/** Loads what its protocol needs, and connects to nothing yet. */
export function httpHost(options: HttpHostOptions): HttpHost {
  const { url, connectTimeoutMs, idleTimeoutMs } = options;
  const { agent, begin } = transport(options);
  const common = {
    agent,
    hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    ...(url.port === '' ? {} : { port: Number(url.port) }),
  };
  return {
    exchange: (request, signal) => {
      const { method, path, headers, body } = request;
      const sent = begin({ ...common, method, path, headers });
      if (method !== 'GET') {
        sent.setTimeout(idleTimeoutMs, () => sent.destroy(timeout('the connection stood still')));
      }
      limitConnecting(sent, connectTimeoutMs);
      return answerTo(sent, body, signal);
    },
    destroy: () => agent.destroy(),
  };
}

type Begin = (options: RequestOptions) => ClientRequest;

/**
 * `import` of these modules looks at everything that they export, for which Node.js loads its `fetch` and
 * `WebSocket`: some 10 ms of processor time that nothing here has use for.
 */
function transport({ url, ca }: HttpHostOptions) {
  const common = { keepAlive: true, maxSockets: SOCKETS_MAX };
  if (url.protocol === 'http:') {
    const { Agent, request } = process.getBuiltinModule('node:http');
    return { agent: new Agent(common), begin: request satisfies Begin as Begin };
  }
  const { Agent, request } = process.getBuiltinModule('node:https');
  const agent = new Agent({
    ...common,
    minVersion: 'TLSv1.2',
    // Said explicitly, so that NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment has no effect.
    rejectUnauthorized: true,
    ...(ca === undefined ? {} : { ca }),
  });
  return { agent, begin: request satisfies Begin as Begin };
}

function answerTo(
  sent: ClientRequest,
  body: Uint8Array | undefined,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise<IncomingMessage>((resolve, reject) => {
    const onAbort = (): void => {
      sent.destroy();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    sent.once('response', (answer) => {
      // From here on the body's reader ends it.
      signal.removeEventListener('abort', onAbort);
      resolve(answer);
    });
    // Heard for ever: a connection may break after its answer was read.
    sent.on('error', (error) => {
      signal.removeEventListener('abort', onAbort);
      reject(error);
    });
    sent.end(body);
  });
}

/** A connection that is used again has no part in this. */
function limitConnecting(sent: ClientRequest, timeoutMs: number): void {
  sent.once('socket', (socket) => {
    if (!socket.connecting) return;
    const timer = setTimeout(() => {
      sent.destroy(timeout(`no connection within ${timeoutMs} ms`));
    }, timeoutMs);
    const stop = (): void => clearTimeout(timer);
    socket.once('connect', stop);
    socket.once('close', stop);
  });
}

function timeout(words: string): Error {
  const error = new Error(words);
  error.name = 'TimeoutError';
  return error;
}
