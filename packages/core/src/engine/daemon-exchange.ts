import { connect, type Socket } from 'node:net';
import { EXIT_HEADER, SIGN_OF_LIFE_MS } from './daemon-words.ts';

/** Accepting a connection is the kernel's work: it takes no time even where the daemon is busy. */
const CONNECT_MS = 200;
/** A daemon at work says so each second. One that does not for this long hangs or is stopped. */
const SILENCE_MS = 5 * SIGN_OF_LIFE_MS;
const ANSWER_BYTES_MAX = 64 * 1024;

/** A daemon's word that counts. */
export interface DaemonAnswer {
  /** The exit code that the command would have had by itself. */
  readonly exitCode: number;
  /** What there is to tell. */
  readonly lines: readonly string[];
}

/**
 * Sends one request (its bytes, HTTP/1.1) and waits for the answer: for as long as the daemon shows
 * signs of life, and `signal` lets it. `undefined` when there is no answer that counts: nobody there,
 * silence, an end in the middle, or an answer that is not final. Throws the signal's reason.
 */
export async function exchange(
  socketPath: string,
  request: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<DaemonAnswer | undefined> {
  signal.throwIfAborted();
  const socket = connect(socketPath);
  const onAbort = (): void => void socket.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const answer = await converse(socket, request);
    signal.throwIfAborted();
    return answer;
  } finally {
    signal.removeEventListener('abort', onAbort);
    socket.destroy();
  }
}

function converse(socket: Socket, request: string): Promise<DaemonAnswer | undefined> {
  return new Promise((resolve) => {
    let received = '';
    let timer = setTimeout(() => resolve(undefined), CONNECT_MS);
    const waitOn = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => resolve(undefined), SILENCE_MS);
    };
    socket.setEncoding('utf8');
    socket.once('connect', () => {
      waitOn();
      socket.write(request);
    });
    socket.on('data', (text: string) => {
      waitOn();
      received = withoutInterim(received + text);
      const answer = parseAnswer(received);
      if (answer !== undefined || received.length > ANSWER_BYTES_MAX) resolve(answer);
    });
    socket.on('error', () => undefined);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(parseAnswer(received));
    });
  });
}

/** The text without the answers 1xx at its head: they say that the daemon is at it. */
function withoutInterim(text: string): string {
  let rest = text;
  while (/^HTTP\/1\.1 1\d\d /.test(rest)) {
    const end = rest.indexOf('\r\n\r\n');
    if (end === -1) break;
    rest = rest.slice(end + 4);
  }
  return rest;
}

/** A whole final answer; `undefined` as long as it is none. */
function parseAnswer(text: string): DaemonAnswer | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const head = text.slice(0, end);
  const body = text.slice(end + 4);
  const exit = headerNumber(head, EXIT_HEADER);
  const bytes = headerNumber(head, 'content-length');
  if (
    exit === undefined ||
    exit > EXIT_MAX ||
    bytes === undefined ||
    Buffer.byteLength(body) < bytes
  )
    return undefined;
  return { exitCode: exit, lines: body.split('\n').filter((line) => line !== '') };
}

/** What a command may exit with where PostgreSQL starts it. */
const EXIT_MAX = 125;

function headerNumber(head: string, name: string): number | undefined {
  const value = new RegExp(`^${name}: *(\\d{1,9})\\r?$`, 'im').exec(head)?.[1];
  return value === undefined ? undefined : Number(value);
}
