import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startS3Model } from './s3-model/start.ts';
import { tempDirectory, type TempDirectory } from './temp-directory.ts';

/** A place to test S3 in. `bucket` exists and is empty. */
export interface S3Server {
  /** `foreign`: named by the environment; `versitygw`: a real server; `model`: our own model. */
  readonly kind: 'foreign' | 'versitygw' | 'model';
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly bucket: string;
  close(): Promise<void>;
}

const BINARY = fileURLToPath(
  new URL('../../node_modules/.cache/tsbk/bin/versitygw', import.meta.url),
);

/**
 * The server named by `TSBK_TEST_S3_ENDPOINT` (with `TSBK_TEST_S3_ACCESS_KEY`, `…_SECRET_KEY`,
 * `…_BUCKET` and `…_REGION`), else a fresh versitygw, else the model: what is there decides, and
 * `kind` says which.
 */
export async function startS3Server(): Promise<S3Server> {
  const named = foreignServer(process.env);
  if (named !== undefined) return named;
  return existsSync(BINARY) ? startVersitygw() : startModel();
}

function foreignServer(env: NodeJS.ProcessEnv): S3Server | undefined {
  const endpoint = env['TSBK_TEST_S3_ENDPOINT'];
  if (endpoint === undefined || endpoint === '') return undefined;
  return {
    kind: 'foreign',
    endpoint,
    region: env['TSBK_TEST_S3_REGION'] ?? 'us-east-1',
    accessKeyId: required(env, 'TSBK_TEST_S3_ACCESS_KEY'),
    secretAccessKey: required(env, 'TSBK_TEST_S3_SECRET_KEY'),
    bucket: required(env, 'TSBK_TEST_S3_BUCKET'),
    close: async () => {},
  };
}

function required(env: NodeJS.ProcessEnv, name: string): string {
  const value = env[name];
  if (value === undefined || value === '') {
    throw new Error(`TSBK_TEST_S3_ENDPOINT is set, so ${name} must be too`);
  }
  return value;
}

async function startModel(): Promise<S3Server> {
  const model = await startS3Model({ buckets: ['tsbk-test'] });
  return { ...model, kind: 'model', bucket: 'tsbk-test' };
}

async function startVersitygw(): Promise<S3Server> {
  const directory = await tempDirectory();
  const bucket = 'tsbk-test';
  await mkdir(join(directory.path, 'data', bucket), { recursive: true });
  const accessKeyId = `test${randomBytes(6).toString('hex')}`;
  const secretAccessKey = randomBytes(20).toString('hex');
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const child = spawn(
      BINARY,
      [
        '--port',
        `127.0.0.1:${port}`,
        '--quiet',
        '--keep-alive',
        'posix',
        join(directory.path, 'data'),
      ],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey },
      },
    );
    if (await isListening(child, port)) {
      return {
        kind: 'versitygw',
        endpoint: `http://127.0.0.1:${port}`,
        region: 'us-east-1',
        accessKeyId,
        secretAccessKey,
        bucket,
        close: () => stop(child, directory),
      };
    }
    child.kill('SIGKILL');
    if (attempt === 5) throw new Error('versitygw does not start');
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

async function isListening(child: ChildProcess, port: number): Promise<boolean> {
  for (let attempt = 0; attempt < 200 && child.exitCode === null; attempt += 1) {
    if (await connects(port)) return true;
    await sleep(25);
  }
  return false;
}

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

async function stop(child: ChildProcess, directory: TempDirectory): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await directory[Symbol.asyncDispose]();
}
