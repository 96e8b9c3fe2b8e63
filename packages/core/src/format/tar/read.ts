import type { ByteSource } from '../../ports/bytes.ts';
import { asBuffer } from '../../stream/collect.ts';
import { ByteReader } from '../byte-reader.ts';
import { isChecksumRight } from './checksum.ts';
import { decodeHeader, sizeOf, typeflagOf } from './decode-header.ts';
import { paddingBytes, TAR_BLOCK_BYTES, type TarHeader } from './header.ts';
import { decodePax, type PaxRecords } from './pax.ts';
import { tarInvalid } from './tar-invalid.ts';

export interface TarEntry {
  readonly header: TarHeader;
  /**
   * The member's content, exactly `header.bytes` long. Read it at most once and before the next
   * entry is asked for; what is left of it then is skipped. Its chunks are views of the source's
   * chunks and may share a buffer with each other.
   */
  readonly body: ByteSource;
}

export interface ReadTarOptions {
  /**
   * Whether an archive must end with two blocks of zeros. PostgreSQL 13 and 14 leave them out of
   * what BASE_BACKUP sends. WAL-G leaves them out of `pg_control.tar` and of the last part of each
   * archive when it makes a remote backup, and the padding of the last member with them. Anywhere
   * else their absence means that the archive was cut off. Default `required`.
   */
  readonly endBlocks?: 'required' | 'optional';
  /** Names the archive in error messages. */
  readonly what?: string;
}

/** Names and attributes longer than this are no names but an attack. */
const EXTENDED_BYTES_MAX = 1024 * 1024;
const NO_RECORDS: PaxRecords = new Map();

/**
 * Reads a tar archive of v7, ustar, PAX or GNU format as it streams by, with memory that does not
 * depend on it. Names come as they stand in the archive: pass them through `safeMemberPath`.
 * Throws `tar-invalid` for damage, truncation, sparse files and anything but zeros after the end.
 */
export async function* readTar(
  source: ByteSource,
  options: ReadTarOptions = {},
): AsyncGenerator<TarEntry, void, undefined> {
  const reader = new ByteReader(source);
  const archive = new Archive(reader, options);
  try {
    for (;;) {
      const header = await archive.nextHeader();
      if (header === undefined) return;
      const body = new Body(reader, header, archive.what);
      yield { header, body: body.content() };
      await body.skip();
      await archive.skipPadding(header.bytes);
    }
  } finally {
    await reader.close();
  }
}

/** What is remembered from one header to the next. */
class Archive {
  readonly what: string;
  readonly #reader: ByteReader;
  readonly #endBlocks: 'required' | 'optional';
  #global: PaxRecords = NO_RECORDS;

  constructor(reader: ByteReader, options: ReadTarOptions) {
    this.what = options.what ?? 'tar archive';
    this.#reader = reader;
    this.#endBlocks = options.endBlocks ?? 'required';
  }

  /** The header of the next member, with what extended headers say of it. */
  async nextHeader(): Promise<TarHeader | undefined> {
    let pax = NO_RECORDS;
    const long = new Map<string, Uint8Array>();
    for (;;) {
      const block = await this.#nextBlock();
      if (block === undefined) {
        if (pax.size + long.size === 0) return undefined;
        throw tarInvalid(this.what, 'ends after an extended header');
      }
      switch (typeflagOf(block)) {
        case 'x':
          pax = decodePax(await this.#extendedBody(block), this.what);
          break;
        case 'g': {
          const records = decodePax(await this.#extendedBody(block), this.what);
          this.#global = new Map([...this.#global, ...records]);
          break;
        }
        case 'L':
          long.set('path', untilNul(await this.#extendedBody(block)));
          break;
        case 'K':
          long.set('linkpath', untilNul(await this.#extendedBody(block)));
          break;
        case 'S':
          throw tarInvalid(this.what, 'holds a sparse file, which no PostgreSQL backup does');
        default:
          return decodeHeader(block, this.#merge(pax, long), this.what);
      }
    }
  }

  /** From the end of a body to where the next header begins. */
  async skipPadding(bodyBytes: number): Promise<void> {
    const bytes = paddingBytes(bodyBytes);
    if (bytes === 0) return;
    const skipped = await this.#reader.take(bytes);
    const mayEnd = this.#endBlocks === 'optional' && skipped.length === 0;
    if (skipped.length < bytes && !mayEnd) throw this.#endsEarly();
  }

  /** The next header block; `undefined` at the end of the archive, which is verified to be one. */
  async #nextBlock(): Promise<Uint8Array | undefined> {
    const block = asBuffer(await this.#reader.take(TAR_BLOCK_BYTES));
    if (block.length === TAR_BLOCK_BYTES && !isZero(block)) {
      if (isChecksumRight(block)) return block;
      throw tarInvalid(this.what, 'a header has the wrong checksum');
    }
    if (block.length === 0 && this.#endBlocks === 'optional') return undefined;
    if (block.length < TAR_BLOCK_BYTES) throw this.#endsEarly();
    await this.#verifyEnd();
    return undefined;
  }

  /** After the first block of zeros there is another one, and zeros to the end of the source. */
  async #verifyEnd(): Promise<void> {
    let bytes = 0;
    for (;;) {
      const chunk = await this.#reader.some(Infinity);
      if (chunk === undefined) break;
      if (!isZero(chunk)) throw tarInvalid(this.what, 'data after the end of the archive');
      bytes += chunk.length;
    }
    if (bytes < TAR_BLOCK_BYTES) throw this.#endsEarly();
  }

  async #extendedBody(block: Uint8Array): Promise<Uint8Array> {
    const bytes = sizeOf(block);
    if (bytes === undefined || bytes > EXTENDED_BYTES_MAX) {
      throw tarInvalid(this.what, `an extended header is larger than ${EXTENDED_BYTES_MAX} bytes`);
    }
    const padded = bytes + paddingBytes(bytes);
    const body = await this.#reader.take(padded);
    if (body.length < padded) throw this.#endsEarly();
    return body.subarray(0, bytes);
  }

  #merge(pax: PaxRecords, long: PaxRecords): PaxRecords {
    if (this.#global.size + pax.size + long.size === 0) return NO_RECORDS;
    return new Map([...this.#global, ...pax, ...long]);
  }

  #endsEarly(): Error {
    return tarInvalid(this.what, 'ends before the end of the archive');
  }
}

/** The part of the source that is one member's content. */
class Body {
  readonly #reader: ByteReader;
  readonly #header: TarHeader;
  readonly #what: string;
  #left: number;
  #open = true;

  constructor(reader: ByteReader, header: TarHeader, what: string) {
    this.#reader = reader;
    this.#header = header;
    this.#what = what;
    this.#left = header.bytes;
  }

  async *content(): ByteSource {
    for (;;) {
      if (!this.#open) throw new Error(`${this.#name()} was read after its turn`);
      if (this.#left === 0) return;
      yield await this.#next();
    }
  }

  /** Goes on to the end of the body. */
  async skip(): Promise<void> {
    this.#open = false;
    while (this.#left > 0) await this.#next();
  }

  async #next(): Promise<Uint8Array> {
    const chunk = await this.#reader.some(this.#left);
    if (chunk === undefined) throw tarInvalid(this.#what, `ends inside ${this.#name()}`);
    this.#left -= chunk.length;
    return chunk;
  }

  #name(): string {
    return `member ${JSON.stringify(this.#header.name)}`;
  }
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

function untilNul(body: Uint8Array): Uint8Array {
  const nul = asBuffer(body).indexOf(0);
  return Uint8Array.from(nul === -1 ? body : body.subarray(0, nul));
}
