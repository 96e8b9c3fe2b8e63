/**
 * The requests of WAL-G's daemon protocol: a letter, the length of the whole message as two bytes, big
 * endian, and a body (`walg-daemon-client` 3.0.8).
 */
export type WalgRequest =
  | { readonly kind: 'check' }
  | { readonly kind: 'push'; readonly path: string }
  | { readonly kind: 'fetch'; readonly name: string; readonly destination: string };

/** The answers, one byte each: `O`, `E`, and `N` for a WAL file that the archive does not have. */
export const WALG_ANSWER = { ok: 'O', error: 'E', absent: 'N' } as const;

const HEAD_BYTES = 3;
/** Longer than any name and path that PostgreSQL could give. */
const MESSAGE_BYTES_MAX = 8192;

/** Letters by which a connection is known to be one of these, and not HTTP. */
export function isWalgLetter(byte: number | undefined): boolean {
  return byte !== undefined && 'CFf'.includes(String.fromCharCode(byte));
}

export type Taken =
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'invalid' }
  | { readonly kind: 'message'; readonly request: WalgRequest; readonly rest: Buffer };

/** Takes the first message off the bytes that have come. */
export function takeMessage(bytes: Buffer): Taken {
  if (bytes.length < HEAD_BYTES) return { kind: 'incomplete' };
  const length = bytes.readUInt16BE(1);
  if (length < HEAD_BYTES || length > MESSAGE_BYTES_MAX) return { kind: 'invalid' };
  if (bytes.length < length) return { kind: 'incomplete' };
  const request = parse(bytes.toString('latin1', 0, 1), bytes.subarray(HEAD_BYTES, length));
  if (request === undefined) return { kind: 'invalid' };
  return { kind: 'message', request, rest: bytes.subarray(length) };
}

function parse(letter: string, body: Buffer): WalgRequest | undefined {
  if (letter === 'C') return { kind: 'check' };
  if (letter === 'F') {
    return body.length === 0 ? undefined : { kind: 'push', path: body.toString('utf8') };
  }
  if (letter !== 'f') return undefined;
  const [name, destination, ...more] = parseVector(body) ?? [];
  if (name === undefined || destination === undefined || more.length > 0) return undefined;
  return { kind: 'fetch', name, destination };
}

/** A count as one byte, then each text with its length before it; nothing may follow. */
function parseVector(body: Buffer): string[] | undefined {
  const texts: string[] = [];
  let at = 1;
  for (let left = body.at(0) ?? 0; left > 0; left -= 1) {
    if (at + 2 > body.length) return undefined;
    const end = at + 2 + body.readUInt16BE(at);
    if (end > body.length) return undefined;
    texts.push(body.toString('utf8', at + 2, end));
    at = end;
  }
  return at === body.length ? texts : undefined;
}
