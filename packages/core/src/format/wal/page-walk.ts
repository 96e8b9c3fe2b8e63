import { toLsn, type Lsn } from '../../kernel/lsn.ts';
import { crc32c } from '../crc32c.ts';
import { isDecoded, isSwitch, type RawRecord } from './decode-record.ts';
import type { WalEnd } from './wal-record.ts';

export interface WalkOptions {
  /** LSN of the source's first byte: the beginning of a segment. */
  readonly start: Lsn;
  readonly segmentBytes: number;
  /** Where a record begins, if it is known. Default: the first one that begins in the source. */
  readonly from?: Lsn;
}

/** A record of which not all bytes have been seen. */
interface Partial {
  /** Offset from the source's first byte. */
  readonly offset: number;
  readonly bytes: number;
  readonly header: Uint8Array;
  body: Uint8Array | undefined;
  seen: number;
  crc: number;
}

const HEADER_BYTES = 24;
const CRC_OFFSET = 20;
const SHORT_PAGE_HEADER_BYTES = 24;
const LONG_PAGE_HEADER_BYTES = 40;
const RECORD_BYTES_MAX = 1020 * 1024 * 1024;
const BODY_BYTES_MAX = 64 * 1024 * 1024;
const LONG_HEADER = 0x0002;
const FIRST_IS_CONTINUATION = 0x0001;
const FIRST_OVERWRITES_CONTINUATION = 0x0008;
const EMPTY = new Uint8Array(0);

/**
 * The state of a walk through WAL between one page and the next. Offsets count from the source's
 * first byte, so that arithmetic stays in plain numbers.
 */
export class PageWalk {
  /** Set once there is nothing more to read. */
  end: Pick<WalEnd, 'reason' | 'problem'> | undefined;
  readonly #options: WalkOptions;
  readonly #pageBytes: number;
  /** Of the next page. */
  #offset = 0;
  /** Where the next record begins; `undefined` until the first is found. */
  #next: number | undefined;
  /** Bytes left of a record that began before the source. */
  #skip = 0;
  #partial: Partial | undefined;
  #previous: number | undefined;
  #magic = 0;
  #timeline = 0;

  constructor(options: WalkOptions, pageBytes: number) {
    this.#options = options;
    this.#pageBytes = pageBytes;
    if (options.from !== undefined) this.#next = Number(options.from - options.start);
  }

  /** Where the next record would begin. */
  get position(): Lsn {
    return this.#lsnAt(this.#partial?.offset ?? this.#next ?? 0);
  }

  /** Takes the next page and gives the records that end in it. */
  page(bytes: Uint8Array): RawRecord[] {
    const pageOffset = this.#offset;
    this.#offset += this.#pageBytes;
    // Before the first record wanted, or between a switch and the end of its segment.
    if (this.#partial === undefined && (this.#next ?? 0) >= this.#offset) return [];
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const from = this.#enter(view, pageOffset);
    return from === undefined ? [] : this.#records(bytes, view, { pageOffset, from });
  }

  /** Checks a page's header. Where in the page the next thing to read is; `undefined` at the end. */
  #enter(view: DataView, pageOffset: number): number | undefined {
    const magic = view.getUint16(0, true);
    const flags = view.getUint16(2, true);
    const timeline = view.getUint32(4, true);
    const continued = view.getUint32(16, true);
    if (magic === 0) return this.#stop('empty');
    if (magic >> 8 !== 0xd1 || (this.#magic !== 0 && magic !== this.#magic)) {
      return this.#stop('invalid', `page magic ${magic.toString(16)}`);
    }
    if (view.getBigUint64(8, true) !== BigInt(this.#lsnAt(pageOffset))) {
      return this.#stop('invalid', 'page of another address');
    }
    if (timeline < this.#timeline) return this.#stop('invalid', 'page of an older timeline');
    this.#magic = magic;
    this.#timeline = timeline;
    const headerBytes =
      (flags & LONG_HEADER) === 0 ? SHORT_PAGE_HEADER_BYTES : LONG_PAGE_HEADER_BYTES;
    const isUnfinished = this.#partial !== undefined || this.#skip > 0;
    if (isUnfinished && (flags & FIRST_OVERWRITES_CONTINUATION) !== 0) {
      // The record was never completed: its server crashed, and went on without it.
      this.#partial = undefined;
      this.#skip = 0;
      this.#next = pageOffset + headerBytes;
      return headerBytes;
    }
    return this.#enterContinued({ flags, continued, headerBytes, pageOffset });
  }

  #enterContinued(page: {
    readonly flags: number;
    readonly continued: number;
    readonly headerBytes: number;
    readonly pageOffset: number;
  }): number | undefined {
    const isContinued = (page.flags & FIRST_IS_CONTINUATION) !== 0;
    const expected = this.#partial === undefined ? this.#skip : left(this.#partial);
    if (this.#next === undefined && expected === 0) {
      // The very first page: how much of an earlier record is in here, its header says.
      this.#skip = isContinued ? page.continued : 0;
      return page.headerBytes;
    }
    // A known first record: what its page begins with does not matter.
    if (this.#partial === undefined && this.#skip === 0) {
      return Math.max((this.#next ?? 0) - page.pageOffset, page.headerBytes);
    }
    if (isContinued && page.continued === expected) return page.headerBytes;
    return this.#stop('invalid', 'a record is not continued on the next page');
  }

  #records(
    bytes: Uint8Array,
    view: DataView,
    { pageOffset, from }: { readonly pageOffset: number; readonly from: number },
  ): RawRecord[] {
    const records: RawRecord[] = [];
    let at = this.#skipTo(from, bytes.length);
    while (at < bytes.length) {
      const partial = this.#partial ?? this.#begin(view, { offset: pageOffset + at, at });
      if (partial === undefined) return records;
      at = this.#consume(partial, bytes, at);
      if (this.end !== undefined || partial.seen < partial.bytes) return records;
      at = aligned(at);
      const record = this.#finish(partial, pageOffset + at);
      if (record === undefined) return records;
      records.push(record);
      // After a switch nothing more of its segment is read.
      if (this.#next !== pageOffset + at) return records;
    }
    if (this.#skip === 0) this.#next = pageOffset + at;
    return records;
  }

  /** Past the rest of a record that began before the source. */
  #skipTo(from: number, pageEnd: number): number {
    if (this.#skip === 0) return from;
    const skipped = Math.min(this.#skip, pageEnd - from);
    this.#skip -= skipped;
    return aligned(from + skipped);
  }

  #begin(
    view: DataView,
    { offset, at }: { readonly offset: number; readonly at: number },
  ): Partial | undefined {
    this.#next = offset;
    const bytes = view.getUint32(at, true);
    if (bytes === 0) return this.#stop('empty');
    if (bytes < HEADER_BYTES || bytes > RECORD_BYTES_MAX) {
      return this.#stop('invalid', `a record of ${bytes} bytes`);
    }
    const header = new Uint8Array(HEADER_BYTES);
    this.#partial = { offset, bytes, header, body: undefined, seen: 0, crc: 0 };
    return this.#partial;
  }

  /** Takes what there is of the record; gives the offset in the page where it went on to. */
  #consume(record: Partial, page: Uint8Array, from: number): number {
    let at = from;
    if (record.seen < HEADER_BYTES) {
      const piece = page.subarray(at, at + HEADER_BYTES - record.seen);
      record.header.set(piece, record.seen);
      record.seen += piece.length;
      at += piece.length;
      if (record.seen < HEADER_BYTES) return at;
      if (!this.#isHeaderRight(record)) return at;
    }
    const piece = page.subarray(at, at + left(record));
    record.crc = crc32c(piece, record.crc);
    record.body?.set(piece, record.seen - HEADER_BYTES);
    record.seen += piece.length;
    return at + piece.length;
  }

  /** Once the header is whole: whether it belongs here. Provides memory for what will be decoded. */
  #isHeaderRight(record: Partial): boolean {
    const header = viewOf(record.header);
    if (this.#previous !== undefined) {
      const previous = header.getBigUint64(8, true);
      if (previous !== BigInt(this.#lsnAt(this.#previous))) {
        this.#stop('invalid', 'a record of another time');
        return false;
      }
    }
    const bodyBytes = record.bytes - HEADER_BYTES;
    if (bodyBytes <= BODY_BYTES_MAX && isDecoded(record.header[17] ?? 0, record.header[16] ?? 0)) {
      record.body = new Uint8Array(bodyBytes);
    }
    return true;
  }

  /** A record all of whose bytes have been seen; `undefined` if they are wrong. */
  #finish(record: Partial, endOffset: number): RawRecord | undefined {
    const header = viewOf(record.header);
    const crc = crc32c(record.header.subarray(0, CRC_OFFSET), record.crc);
    if (crc !== header.getUint32(CRC_OFFSET, true)) {
      return this.#stop('invalid', 'a record with the wrong checksum');
    }
    const info = header.getUint8(16);
    const manager = header.getUint8(17);
    const next = isSwitch(manager, info) ? this.#segmentEnd(endOffset) : endOffset;
    this.#previous = record.offset;
    this.#partial = undefined;
    this.#next = next;
    return {
      lsn: this.#lsnAt(record.offset),
      endLsn: this.#lsnAt(next),
      manager,
      info,
      xid: header.getUint32(4, true),
      body: record.body ?? EMPTY,
      magic: this.#magic,
    };
  }

  #segmentEnd(offset: number): number {
    return Math.ceil(offset / this.#options.segmentBytes) * this.#options.segmentBytes;
  }

  #lsnAt(offset: number): Lsn {
    return toLsn(this.#options.start + BigInt(offset));
  }

  #stop(reason: WalEnd['reason'], problem?: string): undefined {
    this.end = problem === undefined ? { reason } : { reason, problem };
    return undefined;
  }
}

function left(record: Partial): number {
  return record.bytes - record.seen;
}

/** Records begin at multiples of eight (`MAXALIGN`). */
function aligned(offset: number): number {
  return (offset + 7) & ~7;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
