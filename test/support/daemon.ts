import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { giveToServerUser, scratchPath, serverUser } from './postgres.ts';
import { installedTsbk } from './tsbk.ts';
import { controlContent, segmentContent, writeWalFile } from './wal-file.ts';

type Env = Readonly<Record<string, string>>;

export interface DaemonOptions {
  readonly dataDir: string;
  readonly env: Env;
  /** Where it listens; in the state directory if absent. */
  readonly socket?: string;
  readonly args?: readonly string[];
}

/** A running `tsbk daemon`. `await using` kills it. */
export interface Daemon extends AsyncDisposable {
  readonly pid: number;
  readonly socket: string;
  /** What it has written to standard error so far. */
  readonly log: () => string;
  /** Waits for a line that was not there at `from`, a length of the log. */
  logged(pattern: RegExp, from?: number): Promise<void>;
  /** Sends a signal and waits for the end; gives the exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>;
  /** Waits for the end; gives the exit code. */
  readonly ended: Promise<number | null>;
}

/** What HTTP over the socket answers. */
export interface Reply {
  readonly status: number;
  readonly exit: string | undefined;
  readonly text: string;
}

/** Starts the built daemon as the server's user. Resolves when it serves. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { child, log, ended } = launch(options);
  const socket = options.socket ?? join(options.dataDir, 'pg_stat_tmp/tsbk/daemon.sock');
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal);
    return await ended;
  };
  const started = async (): Promise<true | undefined> => {
    if (child.exitCode !== null) throw new Error(`the daemon ended:\n${log()}`);
    return /^serving /m.test(log()) ? true : undefined;
  };
  await eventually('the start of the daemon', started, 60_000);
  return {
    pid: child.pid ?? 0,
    socket,
    log,
    ended,
    logged: async (pattern, from = 0) => {
      const look = async (): Promise<true | undefined> =>
        pattern.test(log().slice(from)) ? true : undefined;
      await eventually(`${pattern} in the daemon's log`, look, 60_000);
    },
    end,
    [Symbol.asyncDispose]: async () => {
      await end('SIGKILL');
    },
  };
}

/** Starts a daemon that is expected to end by itself. Gives its exit code and what it said. */
export async function refusedDaemon(options: DaemonOptions) {
  const { log, ended } = launch(options);
  return { code: await ended, stderr: log() };
}

function launch({ dataDir, env, socket, args = [] }: DaemonOptions) {
  const { cli, env: base } = installedTsbk();
  const positionals = socket === undefined ? [] : [socket];
  const child: ChildProcess = spawn(cli, ['daemon', ...positionals, ...args], {
    cwd: '/',
    env: { ...base, PGDATA: dataDir, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
    ...serverUser(),
  });
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (more: string) => (text += more));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, log: () => text, ended };
}

/** Something with a `pg_wal`, as far as archiving looks at it: for daemons without a server. */
export function fakeDataDir(segments: readonly string[]): string {
  const dataDir = scratchPath('data');
  for (const folder of ['pg_wal/archive_status', 'pg_stat_tmp', 'global']) {
    mkdirSync(join(dataDir, folder), { recursive: true, mode: 0o700 });
  }
  giveToServerUser(dataDir);
  writeWalFile(join(dataDir, 'global'), 'pg_control', controlContent());
  for (const name of segments) writeWalFile(join(dataDir, 'pg_wal'), name, segmentContent(name));
  return dataDir;
}

/** One request by HTTP over the socket. */
export function ask(socketPath: string, method: string, path: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method, path, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (more: string) => (text += more));
      response.once('end', () => {
        const exit = response.headers['tsbk-exit'];
        resolve({ status: response.statusCode ?? 0, exit: exit?.toString(), text });
      });
    });
    asked.once('error', reject);
    asked.end();
  });
}

/** Sends bytes and gives all that comes until the daemon closes the connection. */
export function say(socketPath: string, bytes: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath, () => socket.write(bytes));
    let text = '';
    socket.setEncoding('latin1').on('data', (more: string) => (text += more));
    socket.once('error', reject);
    socket.once('close', () => resolve(text));
  });
}

/** A message of WAL-G's daemon protocol with a body as it is. */
export function walgMessage(letter: string, body: Buffer | string = ''): Buffer {
  const content = Buffer.from(body);
  const head = Buffer.alloc(3);
  head.write(letter, 'latin1');
  head.writeUInt16BE(content.length + 3, 1);
  return Buffer.concat([head, content]);
}

/** Its way to put several texts into a body. */
export function walgVector(...texts: readonly string[]): Buffer {
  const pieces = texts.map((text) => {
    const piece = Buffer.alloc(2 + Buffer.byteLength(text));
    piece.writeUInt16BE(piece.length - 2);
    piece.write(text, 2);
    return piece;
  });
  return Buffer.concat([Buffer.from([texts.length]), ...pieces]);
}

/** Whether there is anything at a path, a socket among it. */
export const isThere = (path: string): boolean => existsSync(path);
