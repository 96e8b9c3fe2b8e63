import type { Lsn } from '../kernel/lsn.ts';
import { collect } from '../stream/collect.ts';
import { writePiece } from '../repository/wal-piece.ts';
import type { Doorbell } from './doorbell.ts';
import type { IntakeOptions, OpenSegment } from './intake.ts';
import { keepTrying, type Patience } from './keep-trying.ts';
import { planPiece, type Rung } from './piece-ladder.ts';

type WriterOptions = Omit<IntakeOptions, 'signal' | 'onDurable'> &
  Patience & {
    readonly bell: Doorbell;
    /** Called after each piece, and when none is being written any more. */
    readonly onStored: () => void;
  };

/** Stores what is new of open segments, one piece at a time. */
export interface PieceWriter {
  /** Bytes were appended. */
  arrived(bytes: number): void;
  heardServerEnd(lsn: Lsn): void;
  /** What is there must not wait. */
  hurry(): void;
  /** Runs until the signal aborts; fails if a piece cannot be stored. */
  run(): Promise<void>;
}

const EVER_MS = 2 ** 31 - 1;

/** Over `segments`, in the order of the WAL, which the owner adds to and removes from. */
export function pieceWriter(segments: readonly OpenSegment[], options: WriterOptions): PieceWriter {
  return new Writer(segments, options);
}

class Writer implements PieceWriter {
  readonly #segments: readonly OpenSegment[];
  readonly #options: WriterOptions;
  readonly #rungs = new WeakMap<OpenSegment, readonly Rung[]>();
  #serverEnd = 0n;
  #waitingBytes = 0;
  /** Since when the oldest of them waits. */
  #waitingSinceMs: number | undefined;
  #hurried = false;

  constructor(segments: readonly OpenSegment[], options: WriterOptions) {
    this.#segments = segments;
    this.#options = options;
  }

  arrived(bytes: number): void {
    const isFirst = this.#waitingSinceMs === undefined;
    this.#waitingSinceMs ??= this.#options.clock.monotonicMs();
    this.#waitingBytes += bytes;
    if (isFirst || this.#waitingBytes >= this.#options.flushBytes) this.#options.bell.ring();
  }

  heardServerEnd(lsn: Lsn): void {
    this.#serverEnd = lsn;
  }

  hurry(): void {
    this.#hurried = true;
    this.#options.bell.ring();
  }

  async run(): Promise<void> {
    const { bell, clock, signal } = this.#options;
    while (!signal.aborted) {
      const waitMs = this.#waitMs();
      const segment = waitMs > 0 ? undefined : this.#next();
      if (segment !== undefined) {
        await this.#store(segment);
        continue;
      }
      if (waitMs <= 0) this.#rest();
      await bell.wait(waitMs > 0 ? waitMs : EVER_MS, { clock, signal });
    }
  }

  /** How long what is there may still wait; 0 when it is to be stored now. */
  #waitMs(): number {
    const { flushMs, flushBytes, clock } = this.#options;
    if (this.#hurried || this.#waitingBytes >= flushBytes) return 0;
    if (this.#waitingSinceMs === undefined) return EVER_MS;
    return Math.max(0, this.#waitingSinceMs + flushMs - clock.monotonicMs());
  }

  /** Nothing is left that a piece would be made of. */
  #rest(): void {
    this.#waitingBytes = 0;
    this.#waitingSinceMs = undefined;
    this.#hurried = false;
  }

  #next(): OpenSegment | undefined {
    return this.#segments.find(
      (segment) => segment.pieceEnd < segment.bytes.filled && this.#isWorthPieces(segment),
    );
  }

  /**
   * A segment of which the server has the end already will be whole in a moment, and storing it twice
   * would only take the line from what comes after it. But once most of it is in pieces the rest is
   * little, and must not wait for the whole.
   */
  #isWorthPieces({ start, bytes, pieceEnd, isWhole }: OpenSegment): boolean {
    const { segmentBytes } = this.#options;
    if (isWhole) return false;
    if (pieceEnd * 2 >= segmentBytes) return true;
    if (bytes.filled === segmentBytes) return false;
    return this.#hurried || this.#serverEnd <= start + BigInt(segmentBytes);
  }

  async #store(segment: OpenSegment): Promise<void> {
    const { repository, segmentBytes, systemId, run, signal, onStored } = this.#options;
    const rungs = this.#rungs.get(segment) ?? [];
    const { name } = segment;
    segment.isBusy = true;
    try {
      const { from, to, level, replaces } = planPiece(rungs, segment.bytes.filled);
      if (to === segment.bytes.filled) this.#rest();
      const what = `${name} from ${from} to ${to}`;
      const data = await collect(segment.bytes.read(from, to), { maxBytes: to - from, what });
      const piece = { segment: name, from, to, run, systemId, segmentBytes, data };
      const { key } = await keepTrying(`store ${what}`, this.#options, () =>
        writePiece(repository, piece, { signal }),
      );
      this.#rungs.set(segment, [
        ...rungs.slice(0, rungs.length - replaces.length),
        { from, to, level, key },
      ]);
      segment.pieceEnd = to;
      onStored();
      // They take no more than space: the whole segment's arrival removes what is left here.
      await Promise.allSettled(replaces.map((old) => repository.store.remove(old.key, { signal })));
    } finally {
      segment.isBusy = false;
    }
    onStored();
  }
}
