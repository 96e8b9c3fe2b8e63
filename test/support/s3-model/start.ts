import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { handle, type LoggedRequest } from './handle.ts';
import { createRuleBook, type Rule } from './rules.ts';
import { createBucket, type Limits, type Modes, type State } from './state.ts';

export interface S3ModelOptions {
  readonly buckets?: readonly string[];
  readonly region?: string;
  readonly limits?: Partial<Limits>;
  readonly modes?: Partial<Modes>;
  /** PEM texts; with them the model speaks HTTPS. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

/** A running model of S3. */
export interface S3Model {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly state: State;
  /** Requests in the order they came. */
  readonly requests: readonly LoggedRequest[];
  addRule(rule: Rule): void;
  clearRules(): void;
  /** Requests that met a fault so far. */
  struck(): number;
  close(): Promise<void>;
}

const MODES: Modes = {
  conditionalWrites: 'obeyed',
  missingIsDenied: false,
  denied: new Set(),
  listLagMs: 0,
  quotaBytes: Number.POSITIVE_INFINITY,
  expiredTokens: new Set(),
  checksumRequired: false,
};

/** What S3 demands of uploads. */
const LIMITS: Limits = { partBytesMin: 5 * 1024 ** 2, partsMax: 10_000 };

/**
 * A model of S3 in memory, on a loopback port: strict where S3 is (signatures, checksums,
 * conditional writes, the rules of multipart uploads), and able to fail in every way that is known
 * of real services (`rules.ts`) or to lack what some lack (`Modes`).
 */
export async function startS3Model(options: S3ModelOptions = {}): Promise<S3Model> {
  const state: State = {
    region: options.region ?? 'us-east-1',
    accessKeyId: `MODEL${randomBytes(8).toString('hex').toUpperCase()}`,
    secretAccessKey: randomBytes(20).toString('base64'),
    limits: { ...LIMITS, ...options.limits },
    modes: { ...MODES, ...options.modes },
    buckets: new Map((options.buckets ?? []).map((name) => [name, createBucket(name)])),
  };
  const rules = createRuleBook();
  const log: LoggedRequest[] = [];
  const server = createServer(options, (message, response) => {
    handle({ state, rules, log }, message, response).catch(() => message.socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { region, accessKeyId, secretAccessKey } = state;
  return {
    endpoint: endpointOf(server, options.tls === undefined ? 'http' : 'https'),
    region,
    accessKeyId,
    secretAccessKey,
    state,
    requests: log,
    addRule: (rule) => rules.add(rule),
    clearRules: () => rules.clear(),
    struck: () => rules.struck(),
    close: async () => {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function createServer({ tls }: S3ModelOptions, listener: RequestListener): Server {
  return tls === undefined ? createHttpServer(listener) : createHttpsServer(tls, listener);
}

function endpointOf(server: Server, scheme: string): string {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the model has no port');
  return `${scheme}://127.0.0.1:${address.port}`;
}
