import { createHash } from 'node:crypto';
import { TsbkError } from '../kernel/errors.ts';
import { toSystemId, type SystemId } from '../kernel/system-id.ts';
import { isSegmentSize } from '../kernel/wal-file.ts';
import { sourceOf } from '../stream/source.ts';
import { collect } from '../stream/collect.ts';
import { piecesFolder } from './layout.ts';
import { extensionOf, openObject } from './read-object.ts';
import type { Repository, RunOptions } from './repository.ts';
import { writeObject } from './write-object.ts';

/**
 * A piece of a segment that is still being written: the bytes from `from` to before `to`, as one run
 * of the receiver got them. Runs never write under each other's names, and every run begins at the
 * start of the segment: so the pieces of one run are of one history, and those of two may not be.
 */
export interface PieceName {
  /** Name of the segment. */
  readonly segment: string;
  readonly from: number;
  readonly to: number;
  /** 16 hexadecimal digits. */
  readonly run: string;
}

export interface WalPiece extends PieceName {
  readonly segmentBytes: number;
  readonly systemId: SystemId;
  readonly data: Uint8Array;
}

/** The most that one piece holds, so that whoever reads it can hold it. */
export const PIECE_BYTES_MAX = 4 * 1024 * 1024;

/*
 * A piece's content: 8 bytes of magic, segment size u32, from u32, to u32, zero u32, system
 * identifier u64, SHA-256 of all this with the piece's name and data, then the data. Little-endian.
 */
const MAGIC = 'TSBKWAL1';
const FACTS_BYTES = 32;
const HEADER_BYTES = FACTS_BYTES + 32;
const NAME = /^([0-9a-f]{8})-([0-9a-f]{8})-([0-9a-f]{16})$/;

/** Key of a piece, without the codec's extension. */
export function pieceKey({ segment, from, to, run }: PieceName): string {
  const hex = (offset: number): string => offset.toString(16).padStart(8, '0');
  return `${piecesFolder(segment)}${hex(from)}-${hex(to)}-${run}`;
}

/** Reads the key of an object in a segment's folder of pieces; `undefined` for what is no piece. */
export function parsePieceKey(segment: string, key: string): PieceName | undefined {
  const [base = ''] = key.slice(piecesFolder(segment).length).split('.', 1);
  const [, from = '', to = '', run = ''] = NAME.exec(base) ?? [];
  const piece = { segment, from: Number.parseInt(from, 16), to: Number.parseInt(to, 16), run };
  return piece.from < piece.to && piece.to - piece.from <= PIECE_BYTES_MAX ? piece : undefined;
}

/**
 * Stores a piece, durably when this resolves. The name is its run's own, so what is there under it
 * already is what an attempt of unknown outcome has written.
 */
export async function writePiece(
  repository: Repository,
  piece: WalPiece,
  { signal }: RunOptions,
): Promise<{ readonly key: string }> {
  const source = sourceOf(headerOf(piece), piece.data);
  const { key } = await writeObject(
    repository,
    { key: pieceKey(piece), source, ifAbsent: true },
    { signal },
  );
  return { key };
}

/**
 * Reads a piece and proves that it is what was written under this name. `undefined` if it is gone.
 * Throws `object-corrupt`.
 */
export async function readPiece(
  repository: Repository,
  { name, key }: { readonly name: PieceName; readonly key: string },
  { signal }: RunOptions,
): Promise<WalPiece | undefined> {
  const opened = await openObject(repository, key, extensionOf(key, pieceKey(name)), { signal });
  if (opened === undefined) return undefined;
  const maxBytes = HEADER_BYTES + PIECE_BYTES_MAX;
  const bytes = await collect(opened.content, { maxBytes, what: key });
  const piece = {
    ...name,
    segmentBytes: bytes.length < HEADER_BYTES ? 0 : bytes.readUInt32LE(8),
    systemId: toSystemId(bytes.length < HEADER_BYTES ? 0n : bytes.readBigUInt64LE(24)),
    data: bytes.subarray(HEADER_BYTES),
  };
  const isWhole = piece.data.length === name.to - name.from && isSegmentSize(piece.segmentBytes);
  if (isWhole && headerOf(piece).equals(bytes.subarray(0, HEADER_BYTES))) return piece;
  throw new TsbkError('object-corrupt', `${key} is not the piece of WAL that its name says`, {
    hint: 'The object was damaged or replaced in the store.',
  });
}

function headerOf(piece: WalPiece): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(MAGIC, 'latin1');
  header.writeUInt32LE(piece.segmentBytes, 8);
  header.writeUInt32LE(piece.from, 12);
  header.writeUInt32LE(piece.to, 16);
  header.writeBigUInt64LE(BigInt(piece.systemId), 24);
  const hash = createHash('sha256').update(header.subarray(0, FACTS_BYTES));
  hash.update(`${piece.segment} ${piece.run}\n`).update(piece.data);
  hash.digest().copy(header, FACTS_BYTES);
  return header;
}
