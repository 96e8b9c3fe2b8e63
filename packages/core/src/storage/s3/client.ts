import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { messageOf, TsbkError } from '../../kernel/errors.ts';
import { instantToMs } from '../../kernel/instant.ts';
import type { Clock } from '../../ports/clock.ts';
import { addressFor } from './address-for.ts';
import { refuseConfiguredEndpoint } from './configured-endpoint.ts';
import { identitiesFor } from './identities.ts';
import { CONNECT_TIMEOUT_MS, REQUEST_TIMEOUT_MS, type S3Options } from './options.ts';
import type { BucketAddress } from './wire/address.ts';
import { readText, refused } from './wire/answer.ts';
import { httpHost, type HttpHost } from './wire/http.ts';
import type { S3Answer, S3Client, S3Request } from './wire/s3-client.ts';
import { encodePath, encodeQuery, signed, signingTime, type Identity } from './wire/sign.ts';

interface Connection {
  readonly address: BucketAddress;
  readonly host: HttpHost;
}

/** A signature counts for a quarter of an hour; a clock that is wrong by less does no harm. */
const SKEW_MIN_MS = 5 * 60_000;

/**
 * A client that tries once: repeating is the business of `storage/retrying`, which can see the
 * whole operation. It speaks S3 by itself, because PostgreSQL starts `archive_command` for each
 * segment and the AWS SDK takes longer to load than a segment to compress; credentials that are not
 * fixed, and what only the SDK's files say of a bucket, are left to the SDK, which is loaded then
 * (docs/decisions/0020). Throws `usage`, and `unsupported-setting` for an endpoint that only the files of
 * the AWS tools name.
 */
export async function createS3Client(
  options: S3Options,
  { clock }: { readonly clock: Clock },
): Promise<S3Client> {
  await refuseConfiguredEndpoint(options);
  const ca = await trustedCertificates(options.caCertFile);
  const identities = identitiesFor(options);
  const open = async (): Promise<Connection> => {
    const address = await addressFor(options, { clock });
    const host = httpHost({
      url: address.url,
      ca,
      connectTimeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      idleTimeoutMs: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    });
    return { address, host };
  };
  let opening: Promise<Connection> | undefined;
  /** What the service's clock is ahead of ours. */
  let skewMs = 0;
  const nowMs = (): number => instantToMs(clock.now()) + skewMs;
  const connection = async (): Promise<Connection> => {
    opening ??= open();
    try {
      return await opening;
    } catch (error) {
      opening = undefined;
      throw error;
    }
  };
  return {
    send: async (request, { abortSignal }) => {
      const { address, host } = await connection();
      const identity = await identities.get(nowMs());
      abortSignal.throwIfAborted();
      const outgoing = prepare(request, { address, identity, nowMs: nowMs(), options });
      const answer = await host.exchange(outgoing, abortSignal);
      const serverMs = Date.parse(answer.headers.date ?? '');
      if (Math.abs(serverMs - nowMs()) > SKEW_MIN_MS) skewMs += serverMs - nowMs();
      return await understood(request, answer, abortSignal);
    },
    renewCredentials: () => identities.renew(),
    destroy: () => void opening?.then(({ host }) => host.destroy()).catch(() => undefined),
  };
}

function prepare(
  { method, key, query = {}, headers = {}, body }: S3Request,
  context: {
    readonly address: BucketAddress;
    readonly identity: Identity;
    readonly nowMs: number;
    readonly options: S3Options;
  },
) {
  const { address, identity, options } = context;
  const sends = method === 'PUT' || method === 'POST';
  const all = {
    ...headers,
    ...(sends ? { 'content-length': `${body?.length ?? 0}` } : {}),
    ...options.additionalHeaders,
    'user-agent': 'tsbk',
    host: address.url.host,
  };
  const path = key === undefined ? address.path || '/' : `${address.path}/${encodePath(key)}`;
  const unsigned = { method, path, query: encodeQuery(query), headers: present(all), body };
  const { region } = address;
  const time = signingTime(context.nowMs);
  return {
    method,
    path: unsigned.query === '' ? path : `${path}?${unsigned.query}`,
    headers: signed(unsigned, { identity, region, time }),
    body,
  };
}

function present(headers: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const given: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) given[name.toLowerCase()] = value;
  }
  return given;
}

async function understood(
  { streams = false }: S3Request,
  answer: IncomingMessage,
  abortSignal: AbortSignal,
): Promise<S3Answer> {
  const { statusCode: status = 0, headers } = answer;
  const isSuccess = status >= 200 && status < 300;
  if (isSuccess && streams) return { status, headers, text: '', body: answer };
  const text = await readText(answer, abortSignal);
  const failure = refused(text, { status, headers, isSuccess });
  if (failure !== undefined) throw failure;
  return { status, headers, text, body: undefined };
}

async function trustedCertificates(file: string | undefined): Promise<Buffer | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readFile(file);
  } catch (error) {
    throw new TsbkError('usage', `cannot read the CA certificates: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
