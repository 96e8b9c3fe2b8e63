import type { Instant } from '../../kernel/instant.ts';
import { toLsn, type Lsn } from '../../kernel/lsn.ts';
import { formatSegment, type TimelineId } from '../../kernel/wal-file.ts';
import { crc32c } from '../crc32c.ts';

export interface FakeWalOptions {
  readonly segmentBytes?: number;
  /** Number of the first segment. */
  readonly first?: bigint;
  readonly timeline?: TimelineId;
  readonly magic?: number;
}

const PAGE_BYTES = 8192;
const HEADER_BYTES = 24;
const LONG_HEADER_BYTES = 40;
const MAGIC_17 = 0xd116;
const EPOCH_2000_US = 946_684_800_000_000n;
const CONTINUED = 0x1;
const LONG = 0x2;
const OVERWRITES = 0x8;

/**
 * WAL as PostgreSQL lays it out, for tests: the records that decide where recovery ends, and filler
 * between them. Every method gives the LSN at which its record begins.
 */
export class FakeWal {
  readonly segmentBytes: number;
  #timeline: TimelineId;
  readonly #first: bigint;
  readonly #magic: number;
  readonly #pages: Uint8Array[] = [];
  /** Offset from the first byte. */
  #at = 0;
  #previous = 0n;
  #switches: { readonly timeline: TimelineId; readonly at: bigint }[] = [];

  constructor(options: FakeWalOptions = {}) {
    this.segmentBytes = options.segmentBytes ?? 1024 * 1024;
    this.#first = options.first ?? 1n;
    this.#timeline = options.timeline ?? 1;
    this.#magic = options.magic ?? MAGIC_17;
    this.#switches = [{ timeline: this.#timeline, at: this.#first }];
  }

  /** Where the next record begins. */
  get lsn(): Lsn {
    const header = this.#at % PAGE_BYTES === 0 ? this.#headerBytes(this.#at) : 0;
    return this.#lsnAt(this.#at + header);
  }

  commit(xid: number, time: Instant): Lsn {
    return this.record({ manager: 1, info: 0x00, xid, data: timestamp(time) });
  }

  abort(xid: number, time: Instant): Lsn {
    return this.record({ manager: 1, info: 0x20, xid, data: timestamp(time) });
  }

  restorePoint(name: string, time: Instant): Lsn {
    const data = Buffer.alloc(72);
    data.set(timestamp(time));
    data.write(name, 8);
    return this.record({ manager: 0, info: 0x70, xid: 0, data });
  }

  /** A record that no recovery target looks at. */
  filler(bytes: number): Lsn {
    return this.record({ manager: 10, info: 0, xid: 3, data: Buffer.alloc(bytes, 0xab) });
  }

  /** Ends the segment. */
  switch(): Lsn {
    const lsn = this.record({ manager: 0, info: 0x40, xid: 0, data: new Uint8Array(0) });
    this.#at = Math.ceil(this.#at / this.segmentBytes) * this.segmentBytes;
    return lsn;
  }

  /** Any record; main data of up to 255 bytes gets the short header. */
  record(of: {
    readonly manager: number;
    readonly info: number;
    readonly xid: number;
    readonly data: Uint8Array;
  }): Lsn {
    const bytes = this.#encode(of);
    const lsn = this.lsn;
    this.#write(bytes);
    this.#at += (8 - (this.#at % 8)) % 8;
    this.#previous = lsn;
    return lsn;
  }

  /** A record of which the server wrote only what fits on the page; it goes on without it. */
  crashInside(bytes: number): Lsn {
    const data = Buffer.alloc(bytes, 0xcd);
    const record = this.#encode({ manager: 10, info: 0, xid: 3, data });
    const lsn = this.lsn;
    const room = PAGE_BYTES - (this.#at % PAGE_BYTES);
    this.#write(record.subarray(0, Math.min(room, record.length - 1)));
    this.#at = Math.ceil(this.#at / PAGE_BYTES) * PAGE_BYTES;
    this.#header(OVERWRITES, 0);
    return lsn;
  }

  /** Goes on as another timeline would: with a copy of this one's last segment. */
  fork(timeline: TimelineId): FakeWal {
    const child = new FakeWal({
      segmentBytes: this.segmentBytes,
      first: this.#first,
      timeline: this.#timeline,
      magic: this.#magic,
    });
    child.#pages.push(...this.#pages.map((page) => Uint8Array.from(page)));
    child.#at = this.#at;
    child.#previous = this.#previous;
    child.#switches = [...this.#switches, { timeline, at: this.#segmentAt(this.#at) }];
    child.#timeline = timeline;
    return child;
  }

  /** The bytes from the first segment on, the last segment filled up with zeros. */
  bytes(): Uint8Array {
    const segments = Math.max(1, Math.ceil(this.#at / this.segmentBytes));
    const whole = new Uint8Array(segments * this.segmentBytes);
    for (const [index, page] of this.#pages.entries()) whole.set(page, index * PAGE_BYTES);
    return whole;
  }

  /** Segments by name, each under the newest timeline that has it. */
  segments(): Map<string, Uint8Array> {
    const whole = this.bytes();
    const named = new Map<string, Uint8Array>();
    for (let at = 0; at < whole.length; at += this.segmentBytes) {
      const number = this.#segmentAt(at);
      const timeline = this.#switches.findLast((entry) => entry.at <= number)?.timeline ?? 1;
      const name = formatSegment({ timeline, number }, this.segmentBytes);
      named.set(name, whole.subarray(at, at + this.segmentBytes));
    }
    return named;
  }

  #encode(of: {
    readonly manager: number;
    readonly info: number;
    readonly xid: number;
    readonly data: Uint8Array;
  }): Buffer {
    const { data } = of;
    const body = Buffer.concat([dataHeader(data.length), data]);
    const record = Buffer.alloc(HEADER_BYTES + body.length);
    record.set(body, HEADER_BYTES);
    record.writeUInt32LE(record.length, 0);
    record.writeUInt32LE(of.xid, 4);
    record.writeBigUInt64LE(this.#previous, 8);
    record.writeUInt8(of.info, 16);
    record.writeUInt8(of.manager, 17);
    record.writeUInt32LE(crc32c(record.subarray(0, 20), crc32c(body)), 20);
    return record;
  }

  #write(bytes: Uint8Array): void {
    let done = 0;
    while (done < bytes.length) {
      if (this.#at % PAGE_BYTES === 0) this.#header(done > 0 ? CONTINUED : 0, bytes.length - done);
      const page = this.#page();
      const from = this.#at % PAGE_BYTES;
      const piece = bytes.subarray(done, done + PAGE_BYTES - from);
      page.set(piece, from);
      done += piece.length;
      this.#at += piece.length;
    }
  }

  #header(flags: number, left: number): void {
    const page = Buffer.from(this.#page().buffer);
    const bytes = this.#headerBytes(this.#at);
    page.writeUInt16LE(this.#magic, 0);
    page.writeUInt16LE(flags | (bytes === LONG_HEADER_BYTES ? LONG : 0), 2);
    page.writeUInt32LE(this.#timeline, 4);
    page.writeBigUInt64LE(this.#lsnAt(this.#at), 8);
    page.writeUInt32LE(flags === CONTINUED ? left : 0, 16);
    if (bytes === LONG_HEADER_BYTES) {
      page.writeBigUInt64LE(7_000_000_000_000_000_001n, 24);
      page.writeUInt32LE(this.segmentBytes, 32);
      page.writeUInt32LE(PAGE_BYTES, 36);
    }
    this.#at += bytes;
  }

  #page(): Uint8Array {
    const index = Math.floor(this.#at / PAGE_BYTES);
    while (this.#pages.length <= index) this.#pages.push(new Uint8Array(PAGE_BYTES));
    return this.#pages[index] ?? new Uint8Array(PAGE_BYTES);
  }

  #headerBytes(at: number): number {
    return at % this.segmentBytes === 0 ? LONG_HEADER_BYTES : HEADER_BYTES;
  }

  #segmentAt(at: number): bigint {
    return this.#first + BigInt(Math.floor(at / this.segmentBytes));
  }

  #lsnAt(at: number): Lsn {
    return toLsn(this.#first * BigInt(this.segmentBytes) + BigInt(at));
  }
}

function dataHeader(bytes: number): Uint8Array {
  if (bytes === 0) return new Uint8Array(0);
  if (bytes <= 255) return Uint8Array.of(255, bytes);
  const long = Buffer.alloc(5, 254);
  long.writeUInt32LE(bytes, 1);
  return long;
}

function timestamp(time: Instant): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(time / 1000n - EPOCH_2000_US);
  return bytes;
}
