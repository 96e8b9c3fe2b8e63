import {
  createCipheriv,
  createDecipheriv,
  createHash,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { TsbkError } from '../../kernel/errors.ts';
import { ByteReader } from '../../format/byte-reader.ts';
import type { ByteSource } from '../../ports/bytes.ts';
import { damaged } from './packet.ts';

/** Algorithms of a session key that tsbk reads, by OpenPGP's names, as OpenSSL calls them. */
const OPENSSL_NAMES: Readonly<Record<string, string>> = {
  aes128: 'aes-128-cfb',
  aes192: 'aes-192-cfb',
  aes256: 'aes-256-cfb',
};

export interface SessionKey {
  readonly algorithm: string;
  readonly key: Uint8Array;
}

const VERSION = 1;
const BLOCK_BYTES = 16;
/** A random block, and its last two bytes once more. */
const PREFIX_BYTES = BLOCK_BYTES + 2;
/** Header of the modification detection packet: tag 19, 20 bytes. */
const MDC_HEADER = Uint8Array.of(0xd3, 0x14);
const MDC_BYTES = 22;

/**
 * Body of a Symmetrically Encrypted and Integrity Protected Data packet, version 1 (RFC 9580,
 * section 5.13.1): AES in CFB mode over a random prefix, the packets in `source` and a SHA-1 of both.
 */
export async function* protect(source: ByteSource, session: SessionKey): ByteSource {
  const cipher = createCipheriv(opensslName(session), session.key, Buffer.alloc(BLOCK_BYTES));
  const hash = createHash('sha1');
  const block = randomBytes(BLOCK_BYTES);
  const prefix = Buffer.concat([block, block.subarray(-2)]);
  hash.update(prefix);
  yield Uint8Array.of(VERSION);
  yield cipher.update(prefix);
  for await (const chunk of source) {
    hash.update(chunk);
    yield cipher.update(chunk);
  }
  hash.update(MDC_HEADER);
  yield cipher.update(Buffer.concat([MDC_HEADER, hash.digest()]));
}

/**
 * The packets within such a body. They pass before they are proven: the source fails at its end
 * with `object-corrupt` if anything was changed. Throws `wrong-key` when the session key is of
 * another message.
 */
export async function* unprotect(body: ByteSource, session: SessionKey): ByteSource {
  const reader = new ByteReader(body);
  try {
    const [version] = await reader.take(1);
    if (version !== VERSION) throw unsupported(`version ${version ?? 'none'} of encrypted data`);
    const cipher = createDecipheriv(opensslName(session), session.key, Buffer.alloc(BLOCK_BYTES));
    const hash = createHash('sha1');
    const prefix = cipher.update(await reader.take(PREFIX_BYTES));
    if (prefix.length < PREFIX_BYTES) throw damaged('it is cut off');
    if (!prefix.subarray(-4, -2).equals(prefix.subarray(-2)))
      throw damaged('its first block is changed');
    hash.update(prefix);
    // What may be the last packet is held back until something follows it.
    let held: Buffer = Buffer.alloc(0);
    for (;;) {
      const some = await reader.some(Number.MAX_SAFE_INTEGER);
      if (some === undefined) break;
      const plain = cipher.update(some);
      if (held.length + plain.length <= MDC_BYTES) {
        held = Buffer.concat([held, plain]);
        continue;
      }
      const whole = plain.length >= MDC_BYTES ? [held, plain] : [Buffer.concat([held, plain])];
      const last = whole.pop() ?? held;
      const ready = [...whole, last.subarray(0, -MDC_BYTES)].filter(({ length }) => length > 0);
      held = Buffer.from(last.subarray(-MDC_BYTES));
      for (const chunk of ready) {
        hash.update(chunk);
        yield chunk;
      }
    }
    mustProve(hash.update(MDC_HEADER).digest(), held);
  } finally {
    await reader.close();
  }
}

function mustProve(digest: Buffer, packet: Buffer): void {
  if (packet.length < MDC_BYTES) throw damaged('it is cut off');
  const expected = Buffer.concat([MDC_HEADER, digest]);
  if (!timingSafeEqual(expected, packet)) throw damaged('its modification detection code differs');
}

function opensslName({ algorithm }: SessionKey): string {
  const name = OPENSSL_NAMES[algorithm];
  if (name === undefined) throw unsupported(`the algorithm ${algorithm}`);
  return name;
}

/** Something that neither WAL-G nor tsbk writes. */
export function unsupported(what: string): TsbkError {
  return new TsbkError(
    'object-corrupt',
    `the encrypted data uses ${what}, which tsbk does not read`,
    {
      hint: 'No WAL-G writes that. If another program encrypted the object, decrypt it with that program.',
    },
  );
}
