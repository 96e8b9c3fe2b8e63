import { createHmac, hash } from 'node:crypto';

/** Keys of an account. */
export interface Identity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

/** A request as it goes over the wire, short of its signature. */
export interface Unsigned {
  readonly method: string;
  /** Encoded, with a slash before it. */
  readonly path: string;
  /** Encoded, sorted by name, without the question mark. */
  readonly query: string;
  /** Names in lower case. With `host`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
}

export interface SigningContext {
  readonly identity: Identity;
  readonly region: string;
  /** `20260131T235959Z` */
  readonly time: string;
}

/** Proxies add, change and remove these. */
const LEFT_OUT: ReadonlySet<string> = new Set(['user-agent', 'accept-encoding', 'connection']);

/**
 * The headers of the request with those that sign all of it, the body too (Amazon S3 API reference,
 * "Authenticating requests: Signature Version 4, transferring the payload in a single chunk").
 */
export function signed(request: Unsigned, context: SigningContext): Record<string, string> {
  const { identity, region, time } = context;
  const { sessionToken } = identity;
  const bodyHash = hash('sha256', request.body ?? '');
  const headers: Record<string, string> = {
    ...request.headers,
    'x-amz-content-sha256': bodyHash,
    'x-amz-date': time,
    ...(sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken }),
  };
  const names = Object.keys(headers)
    .filter((name) => !LEFT_OUT.has(name))
    .toSorted();
  const lines = names.map((name) => `${name}:${headers[name]?.trim().replaceAll(/\s+/g, ' ')}\n`);
  const listed = names.join(';');
  const { method, path, query } = request;
  const canonical = [method, path, query, lines.join(''), listed, bodyHash].join('\n');
  const scope = `${time.slice(0, 8)}/${region}/s3/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', time, scope, hash('sha256', canonical)].join('\n');
  const signature = hmac(signingKey(identity, scope), toSign).toString('hex');
  headers['authorization'] =
    `AWS4-HMAC-SHA256 Credential=${identity.accessKeyId}/${scope}, ` +
    `SignedHeaders=${listed}, Signature=${signature}`;
  return headers;
}

/** The moment as signatures have it. */
export function signingTime(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}

/** Encodes everything but letters, digits and `-_.~`; of a path the slashes stay. */
export function encodePath(path: string): string {
  return path.split('/').map(encodePart).join('/');
}

/** Names and values encoded and sorted, as they are both sent and signed. */
export function encodeQuery(query: Readonly<Record<string, string | undefined>>): string {
  const names = Object.keys(query).toSorted();
  const pairs = names.flatMap((name) => {
    const value = query[name];
    return value === undefined ? [] : [`${encodePart(name)}=${encodePart(value)}`];
  });
  return pairs.join('&');
}

function encodePart(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function signingKey({ secretAccessKey }: Identity, scope: string): Buffer {
  return scope
    .split('/')
    .reduce<Buffer>((key, part) => hmac(key, part), Buffer.from(`AWS4${secretAccessKey}`));
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
