import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A server that speaks PostgreSQL's protocol and says what a test wants it to say. */
export interface FakeWalsender extends AsyncDisposable {
  readonly host: '127.0.0.1';
  readonly port: number;
  /** Commands it was sent. */
  readonly commands: readonly string[];
  /** Bytes it has got rid of. */
  bytesWritten(): number;
}

export interface FakeOptions {
  readonly serverVersion?: string;
  /** What it sends in answer to a command; it closes the connection afterwards unless asked not to. */
  readonly answer?: (command: string) => Iterable<Buffer>;
  readonly stayOpen?: boolean;
  /** Bytes written at a time; everything at once if absent. */
  readonly chunkBytes?: number;
  /** Takes over the connection as soon as it is made. */
  readonly onConnect?: (socket: Socket) => void;
}

/** Starts one on 127.0.0.1. It trusts everybody and has no TLS. */
export async function startFakeWalsender(options: FakeOptions = {}): Promise<FakeWalsender> {
  const commands: string[] = [];
  const sockets = new Set<Socket>();
  let written = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => {
      written += socket.bytesWritten;
      sockets.delete(socket);
    });
    if (options.onConnect === undefined)
      void serve(socket, options, commands).catch(() => socket.destroy());
    else options.onConnect(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP port');
  return {
    host: '127.0.0.1',
    port: address.port,
    commands,
    bytesWritten: () => [...sockets].reduce((sum, socket) => sum + socket.bytesWritten, written),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A message: type, length, body. */
export function message(type: string, ...parts: readonly (string | Buffer)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part as string)));
  const header = Buffer.alloc(5);
  header.write(type, 'latin1');
  header.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

/** One row of text columns, with description and completion, as a command answers. */
export function result(tag: string, ...rows: readonly (readonly (string | null)[])[]): Buffer {
  const columns = (rows[0] ?? []).map((_, index) => Buffer.from(`c${index}\0${'\0'.repeat(18)}`));
  return Buffer.concat([
    message('T', int16(columns.length), ...columns),
    ...rows.map((row) => message('D', int16(row.length), ...row.map(value))),
    message('C', `${tag}\0`),
  ]);
}

/** An error or (`N`) a notice. */
export function notice(type: 'E' | 'N', severity: string, code: string, text: string): Buffer {
  return message(type, `S${severity}\0V${severity}\0C${code}\0M${text}\0\0`);
}

export function parameter(name: string, text: string): Buffer {
  return message('S', `${name}\0${text}\0`);
}

export const READY = message('Z', 'I');

function value(text: string | null): Buffer {
  if (text === null) return Buffer.from([255, 255, 255, 255]);
  const length = Buffer.alloc(4);
  length.writeInt32BE(Buffer.byteLength(text));
  return Buffer.concat([length, Buffer.from(text)]);
}

function int16(number: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(number);
  return bytes;
}

async function serve(socket: Socket, options: FakeOptions, commands: string[]): Promise<void> {
  let input = Buffer.alloc(0);
  let started = false;
  for await (const chunk of socket) {
    input = Buffer.concat([input, chunk as Buffer]);
    for (;;) {
      const length = input.length >= 5 ? input.readInt32BE(started ? 1 : 0) : Infinity;
      const total = started ? length + 1 : length;
      if (input.length < total) break;
      const packet = input.subarray(0, total);
      input = input.subarray(total);
      if (started && packet[0] === 0x58) return;
      await write(
        socket,
        options,
        started ? replies(packet, options, commands) : greeting(options),
      );
      if (started && options.stayOpen !== true) socket.end();
      started = true;
    }
  }
}

function* greeting({ serverVersion = '17.10' }: FakeOptions): Iterable<Buffer> {
  yield message('R', Buffer.alloc(4));
  yield parameter('server_version', serverVersion);
  yield message('K', Buffer.alloc(8));
  yield READY;
}

function* replies(packet: Buffer, options: FakeOptions, commands: string[]): Iterable<Buffer> {
  const command = packet.toString('utf8', 5, packet.length - 1);
  commands.push(command);
  yield* options.answer?.(command) ?? [];
}

/** Waits whenever the client does not read: an endless answer must not fill this process. */
async function write(socket: Socket, options: FakeOptions, parts: Iterable<Buffer>): Promise<void> {
  for (const part of parts) {
    const step = options.chunkBytes ?? part.length;
    for (let at = 0; at < part.length; at += step) {
      if (!socket.write(part.subarray(at, at + step))) await drained(socket);
      if (options.chunkBytes !== undefined) await sleep(0);
      if (socket.destroyed) return;
    }
  }
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
  });
}
