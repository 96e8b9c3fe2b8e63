import { ByteReader } from '../../format/byte-reader.ts';
import type { ByteSource } from '../../ports/bytes.ts';
import type { Cipher } from '../../ports/cipher.ts';
import { owned } from '../../stream/owned.ts';
import { type OpenpgpKeys, type OpenpgpKeyText, readOpenpgpKeys } from './keys.ts';
import {
  TAG,
  type PacketHeader,
  damaged,
  framed,
  notOpenpgp,
  packetBody,
  readHeader,
  smallBody,
} from './packet.ts';
import { protect, unprotect, unsupported } from './protected-data.ts';

/** Session keys for so many recipients at most; each packet is below 1 KiB. */
const KEY_PACKETS_MAX = 64;
const KEY_PACKET_BYTES_MAX = 8192;
/** `b`: the content is binary. Then no file name, and no time. */
const LITERAL_START = Uint8Array.of(0x62, 0, 0, 0, 0, 0);

/**
 * OpenPGP as WAL-G writes it: for each key a packet with the session key, then one packet with the
 * content, AES in CFB mode and a SHA-1 of all of it. Who has the public key alone can write only.
 */
export async function openpgpCipher(text: OpenpgpKeyText): Promise<Cipher> {
  const keys = await readOpenpgpKeys(text);
  return {
    name: 'openpgp',
    keyId: keys.keyId,
    unreadable: keys.unreadable,
    encrypt: (source) => encrypt(source, keys),
    // Packets cross the borders of chunks.
    decrypt: (source) => decrypt(owned(source), keys),
  };
}

async function* encrypt(source: ByteSource, keys: OpenpgpKeys): ByteSource {
  const reader = new ByteReader(source);
  try {
    const { session, packets } = await keys.newSession();
    yield packets;
    const literal = framed(TAG.literal, literalBody(reader));
    yield* framed(TAG.integrityProtected, protect(literal, session));
  } finally {
    await reader.close();
  }
}

async function* literalBody(reader: ByteReader): ByteSource {
  yield LITERAL_START;
  yield* rest(reader);
}

async function* decrypt(source: ByteSource, keys: OpenpgpKeys): ByteSource {
  const reader = new ByteReader(source);
  try {
    if (keys.unreadable !== undefined) throw keys.unreadable;
    const { packets, header } = await keyPackets(reader);
    const session = await keys.openSession(packets);
    yield* content(unprotect(packetBody(reader, header), session));
    if ((await reader.some(1)) !== undefined) throw damaged('something follows its end');
  } finally {
    await reader.close();
  }
}

/** All session-key packets, and the header of the data that follows them. */
async function keyPackets(
  reader: ByteReader,
): Promise<{ readonly packets: Uint8Array; readonly header: PacketHeader }> {
  const packets: Uint8Array[] = [];
  for (let i = 0; i <= KEY_PACKETS_MAX; i += 1) {
    const header = await readHeader(reader);
    if (header === undefined) throw damaged('it is cut off');
    if (header.tag === TAG.integrityProtected) {
      return { packets: Buffer.concat(packets), header };
    }
    const isKey = header.tag === TAG.publicKeySession;
    if (!isKey && header.tag !== TAG.symmetricKeySession && header.tag !== TAG.marker) {
      throw notOpenpgp();
    }
    const body = await smallBody(reader, header, KEY_PACKET_BYTES_MAX);
    if (isKey) packets.push(header.bytes, body);
  }
  throw damaged('it is for too many keys');
}

/** What the literal packet holds. Reads the packets to their end, which proves them. */
async function* content(packets: ByteSource): ByteSource {
  const reader = new ByteReader(packets);
  try {
    const header = await readHeader(reader);
    if (header?.tag === TAG.compressed) throw unsupported('compression by OpenPGP');
    if (header?.tag !== TAG.literal) throw damaged('it holds no data packet');
    const body = new ByteReader(packetBody(reader, header));
    const [, nameBytes = 0] = await body.take(2);
    await body.take(nameBytes + 4);
    yield* rest(body);
    if ((await reader.some(1)) !== undefined) throw damaged('something follows its data packet');
  } finally {
    await reader.close();
  }
}

async function* rest(reader: ByteReader): ByteSource {
  for (;;) {
    const some = await reader.some(Number.MAX_SAFE_INTEGER);
    if (some === undefined) return;
    yield some;
  }
}
