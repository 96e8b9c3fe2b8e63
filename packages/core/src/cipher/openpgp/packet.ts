import { TsbkError } from '../../kernel/errors.ts';
import type { ByteReader } from '../../format/byte-reader.ts';
import { ByteReader as Reader } from '../../format/byte-reader.ts';
import type { ByteSource } from '../../ports/bytes.ts';

/** Packet types of RFC 9580, section 5, as far as they occur in encrypted objects. */
export const TAG = {
  publicKeySession: 1,
  symmetricKeySession: 3,
  compressed: 8,
  marker: 10,
  literal: 11,
  integrityProtected: 18,
} as const;

/** Pieces of a body whose length is not known yet: a power of two, at least 512. */
const PIECE_BITS = 17;
const PIECE_BYTES = 1 << PIECE_BITS;
const PARTIAL_FIRST = 0xe0;

export interface PacketHeader {
  readonly tag: number;
  /** The header as it was read. */
  readonly bytes: Uint8Array;
  /** Length of the body, or of its first piece if `isPartial`. */
  readonly length: number;
  readonly isPartial: boolean;
}

/** One packet around a body of any length, in pieces (RFC 9580, section 4.2.1.4). */
export async function* framed(tag: number, body: ByteSource): ByteSource {
  const reader = new Reader(body);
  try {
    yield Uint8Array.of(0xc0 | tag);
    for (let isLast = false; !isLast;) {
      const piece = reader.buffered(PIECE_BYTES) ?? (await reader.take(PIECE_BYTES));
      isLast = piece.length < PIECE_BYTES;
      yield isLast ? lengthBytes(piece.length) : Uint8Array.of(PARTIAL_FIRST | PIECE_BITS);
      if (piece.length > 0) yield piece;
    }
  } finally {
    await reader.close();
  }
}

/** The next packet's header, of either format; `undefined` at the end of the source. */
export async function readHeader(reader: ByteReader): Promise<PacketHeader | undefined> {
  const first = await reader.take(1);
  const [ctb] = first;
  if (ctb === undefined) return undefined;
  if ((ctb & 0x80) === 0) throw notOpenpgp();
  if ((ctb & 0x40) !== 0) {
    const { bytes, length, isPartial } = await readLength(reader);
    return { tag: ctb & 0x3f, bytes: Buffer.concat([first, bytes]), length, isPartial };
  }
  const lengthType = ctb & 3;
  // Only the end of the data tells the length, and only the check of the whole that it is the end.
  if (lengthType === 3)
    return { tag: oldTag(ctb), bytes: first, length: Infinity, isPartial: false };
  const bytes = await whole(reader, 1 << lengthType);
  const length = Buffer.from(bytes).readUIntBE(0, bytes.length);
  return { tag: oldTag(ctb), bytes: Buffer.concat([first, bytes]), length, isPartial: false };
}

function oldTag(ctb: number): number {
  return (ctb >> 2) & 15;
}

/** A small body. Throws `object-corrupt` if it is longer than `maxBytes`. */
export async function smallBody(
  reader: ByteReader,
  header: PacketHeader,
  maxBytes: number,
): Promise<Uint8Array> {
  if (header.isPartial || header.length > maxBytes) throw damaged('a key packet is too long');
  return await whole(reader, header.length);
}

/** The body of a packet, piece by piece. The reader stands behind it when it has ended. */
export async function* packetBody(reader: ByteReader, header: PacketHeader): ByteSource {
  let { length, isPartial } = header;
  for (;;) {
    while (length > 0) {
      const some = await reader.some(length);
      if (some === undefined && length === Infinity) return;
      if (some === undefined) throw damaged('it is cut off');
      length -= some.length;
      yield some;
    }
    if (!isPartial) return;
    ({ length, isPartial } = await readLength(reader));
  }
}

async function readLength(reader: ByteReader) {
  const first = await whole(reader, 1);
  const [value = 0] = first;
  if (value < 192) return { bytes: first, length: value, isPartial: false };
  if (value >= PARTIAL_FIRST && value < 255) {
    return { bytes: first, length: 2 ** (value & 0x1f), isPartial: true };
  }
  const rest = Buffer.from(await whole(reader, value === 255 ? 4 : 1));
  const length =
    value === 255 ? rest.readUInt32BE(0) : ((value - 192) << 8) + rest.readUInt8(0) + 192;
  return { bytes: Buffer.concat([first, rest]), length, isPartial: false };
}

async function whole(reader: ByteReader, bytes: number): Promise<Uint8Array> {
  const taken = await reader.take(bytes);
  if (taken.length < bytes) throw damaged('it is cut off');
  return taken;
}

function lengthBytes(length: number): Uint8Array {
  if (length < 192) return Uint8Array.of(length);
  if (length < 8384) return Uint8Array.of(((length - 192) >> 8) + 192, (length - 192) & 0xff);
  const bytes = Buffer.alloc(5, 0xff);
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

/** What is read is no OpenPGP message. */
export function notOpenpgp(): TsbkError {
  return new TsbkError('wrong-key', 'the data is not encrypted by OpenPGP', {
    hint: 'It is not encrypted, or in another way. The settings of a reader must be those of the writer.',
  });
}

export function damaged(problem: string): TsbkError {
  return new TsbkError('object-corrupt', `the encrypted data cannot be read: ${problem}`, {
    hint: 'The object is damaged or cut off. Take another copy of it or another backup.',
  });
}
