import { checkWalSegment } from '../format/wal/page-header.ts';
import { TsbkError } from '../kernel/errors.ts';
import { formatLsn, toLsn, type Lsn } from '../kernel/lsn.ts';
import type { SystemId } from '../kernel/system-id.ts';
import {
  formatSegment,
  segmentNumberAt,
  segmentStart,
  type TimelineId,
} from '../kernel/wal-file.ts';
import type { Clock } from '../ports/clock.ts';
import type { Report } from '../ports/report.ts';
import type { ReceiverPosition } from '../postgres/replication-messages.ts';
import type { Repository } from '../repository/repository.ts';
import { storeWal } from '../repository/wal-archive.ts';
import { removePieces } from '../repository/wal-pieces.ts';
import { Doorbell } from './doorbell.ts';
import { keepTrying, type Patience } from './keep-trying.ts';
import { pieceWriter, type PieceWriter } from './piece-writer.ts';
import { holdSegment, IN_MEMORY_BYTES_MAX, type SegmentBytes } from './segment-bytes.ts';

/** What is fixed while one timeline is received. */
export interface IntakeOptions {
  readonly repository: Repository;
  readonly timeline: TimelineId;
  /** Where the first segment begins. */
  readonly start: Lsn;
  readonly segmentBytes: number;
  readonly systemId: SystemId;
  /** 16 hexadecimal digits that nobody else has: see `PieceName`. */
  readonly run: string;
  /** The longest that a byte waits before it is on its way to the store. Milliseconds. */
  readonly flushMs: number;
  /** So many bytes do not wait. */
  readonly flushBytes: number;
  readonly scratchDirectory: string;
  readonly clock: Clock;
  readonly report: Report;
  readonly signal: AbortSignal;
  /** Called whenever more has become durable. */
  readonly onDurable: () => void;
}

/** A segment that is being received, or that waits to be stored. */
export interface OpenSegment {
  readonly name: string;
  readonly start: Lsn;
  readonly bytes: SegmentBytes;
  /** So much of it is durable as pieces. */
  pieceEnd: number;
  /** The whole of it is in the archive. */
  isWhole: boolean;
  /** Somebody reads it to store a piece. */
  isBusy: boolean;
  isReleased: boolean;
}

/** Complete segments that may wait to be stored, while a further one is received. */
const WAITING_MAX = 3;
const WAITING_MAX_IN_FILES = 1;
const FIRST_PAGE_BYTES = 8192;
const EVER_MS = 2 ** 31 - 1;

/**
 * Takes WAL in the order of its bytes and makes it durable in two ways at once: what is new of the
 * open segment becomes a piece, a segment that is complete goes to the archive as every other WAL
 * file does, and its pieces away. Memory is bounded: whoever appends waits for room.
 */
export class WalIntake implements AsyncDisposable {
  readonly #options: IntakeOptions;
  readonly #patience: Patience;
  readonly #failure = new AbortController();
  readonly #bell = new Doorbell();
  readonly #segments: OpenSegment[] = [];
  readonly #work = new Set<Promise<void>>();
  readonly #pieces: PieceWriter;
  #write: Lsn;
  #flush: Lsn;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#write = options.start;
    this.#flush = options.start;
    const { clock, report } = options;
    const signal = AbortSignal.any([options.signal, this.#failure.signal]);
    this.#patience = { clock, report, signal };
    this.#pieces = pieceWriter(this.#segments, {
      ...options,
      ...this.#patience,
      bell: this.#bell,
      onStored: () => this.#advance(),
    });
    this.#begin(this.#pieces.run());
  }

  /** Aborts when something cannot be stored, whatever one waits for. */
  get failed(): AbortSignal {
    return this.#failure.signal;
  }

  /** What was received, and up to where all of it is durable. */
  get position(): ReceiverPosition {
    return { write: this.#write, flush: this.#flush };
  }

  /** The segment that is not complete yet, if anything of it is here. */
  get open():
    | { readonly name: string; readonly bytes: SegmentBytes; readonly segmentBytes: number }
    | undefined {
    const { segmentBytes } = this.#options;
    const last = this.#segments.at(-1);
    if (last === undefined || last.bytes.filled === segmentBytes) return undefined;
    return { name: last.name, bytes: last.bytes, segmentBytes };
  }

  /** Takes the bytes that begin at `lsn`. Resolves when there is room for more. */
  async append(lsn: Lsn, data: Uint8Array): Promise<void> {
    if (lsn !== this.#write) {
      throw new TsbkError(
        'protocol-violation',
        `the server sent WAL of ${formatLsn(lsn)} where that of ${formatLsn(this.#write)} comes next`,
      );
    }
    for (let rest = data; rest.length > 0;) {
      const segment = await this.#segmentForMore();
      const room = this.#options.segmentBytes - segment.bytes.filled;
      const taken = rest.subarray(0, room);
      await segment.bytes.append(taken);
      this.#write = toLsn(this.#write + BigInt(taken.length));
      rest = rest.subarray(taken.length);
      if (taken.length === room) this.#begin(this.#storeWhole(segment));
      this.#pieces.arrived(taken.length);
    }
  }

  /** The server has WAL up to here: a segment that ends before it is not worth pieces. */
  heardServerEnd(lsn: Lsn): void {
    this.#pieces.heardServerEnd(lsn);
  }

  /** Lets nothing wait any longer for company. */
  hurry(): void {
    this.#pieces.hurry();
  }

  /** Resolves when everything is durable that was received so far. */
  async drained({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const goal = this.#write;
    const either = AbortSignal.any([signal, this.#patience.signal]);
    while (this.#flush < goal) {
      this.hurry();
      await this.#bell.wait(EVER_MS, { clock: this.#options.clock, signal: either });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#failure.abort(new TsbkError('interrupted', 'receiving has ended'));
    this.#bell.ring();
    await Promise.allSettled(this.#work);
    for (const { bytes } of this.#segments) await bytes[Symbol.asyncDispose]();
  }

  /** Work whose failure is the failure of the whole intake. */
  #begin(work: Promise<void>): void {
    const settled = work
      .catch((error: unknown) => this.#failure.abort(error))
      .finally(() => {
        this.#work.delete(settled);
        this.#bell.ring();
      });
    this.#work.add(settled);
  }

  async #segmentForMore(): Promise<OpenSegment> {
    const { segmentBytes, timeline, scratchDirectory, clock } = this.#options;
    const last = this.#segments.at(-1);
    if (last !== undefined && last.bytes.filled < segmentBytes) return last;
    const waitingMax = segmentBytes > IN_MEMORY_BYTES_MAX ? WAITING_MAX_IN_FILES : WAITING_MAX;
    while (this.#segments.filter(({ isReleased }) => !isReleased).length > waitingMax) {
      await this.#bell.wait(EVER_MS, { clock, signal: this.#patience.signal });
    }
    const number = segmentNumberAt(this.#write, segmentBytes);
    const segment = {
      name: formatSegment({ timeline, number }, segmentBytes),
      start: segmentStart(number, segmentBytes),
      bytes: holdSegment(segmentBytes, scratchDirectory),
      pieceEnd: 0,
      isWhole: false,
      isBusy: false,
      isReleased: false,
    };
    this.#segments.push(segment);
    return segment;
  }

  async #storeWhole(segment: OpenSegment): Promise<void> {
    const { repository, segmentBytes } = this.#options;
    const { name, bytes } = segment;
    for await (const page of bytes.read(0, FIRST_PAGE_BYTES)) {
      checkWalSegment(name, page, segmentBytes);
    }
    await keepTrying(`store ${name}`, this.#patience, () =>
      storeWal(
        repository,
        { name, source: () => bytes.read(0, segmentBytes) },
        { signal: this.#patience.signal },
      ),
    );
    segment.isWhole = true;
    this.#advance();
  }

  /** Moves the durable position on, and lets go of what is whole. */
  #advance(): void {
    const before = this.#flush;
    this.#flush = durableUpTo(this.#segments, before, this.#options);
    for (const segment of this.#segments) this.#release(segment);
    while (this.#segments[0]?.isReleased === true) this.#segments.shift();
    this.#bell.ring();
    if (this.#flush > before) this.#options.onDurable();
  }

  #release(segment: OpenSegment): void {
    if (!segment.isWhole || segment.isBusy || segment.isReleased) return;
    segment.isReleased = true;
    const { repository, run } = this.#options;
    const { signal } = this.#patience;
    // Another run may have received other content. What is left the next start looks after.
    const tidy = removePieces(repository, { segment: segment.name, run }, { signal }).catch(
      () => undefined,
    );
    this.#begin(tidy.then(() => segment.bytes[Symbol.asyncDispose]()));
  }
}

/**
 * Up to where everything is durable. A segment that is complete in pieces counts if it can be put
 * together from them after a crash; a host that cannot read what it wrote must get it from the server
 * again, which removes what was said to be durable.
 */
function durableUpTo(
  segments: readonly OpenSegment[],
  before: Lsn,
  { repository, segmentBytes }: Pick<IntakeOptions, 'repository' | 'segmentBytes'>,
): Lsn {
  const canFold = repository.cipher.unreadable === undefined;
  let flush = before;
  for (const { start, isWhole, pieceEnd } of segments) {
    const isCovered = isWhole || (canFold && pieceEnd === segmentBytes);
    const end = isWhole ? segmentBytes : Math.min(pieceEnd, segmentBytes - (isCovered ? 0 : 1));
    const lsn = toLsn(start + BigInt(end));
    if (lsn > flush) flush = lsn;
    if (!isCovered) break;
  }
  return flush;
}
