import type { BlobStore } from '../ports/blob-store.ts';
import type { Cipher } from '../ports/cipher.ts';
import type { Clock } from '../ports/clock.ts';
import type { Codec } from '../ports/codec.ts';
import type { RangeReading } from './read-ranges.ts';

/** A WAL-G repository, opened: where its objects are and how they are read and written. */
export interface Repository {
  readonly store: BlobStore;
  /** What new objects are compressed with. */
  readonly writeCodec: Codec;
  /**
   * The codec of an object-name extension (`''` for none), `undefined` for an unknown one.
   */
  readonly codecOf: (extension: string) => Codec | undefined;
  /** Extensions a WAL file may have, most likely first, the write codec's at the head. */
  readonly walExtensions: readonly string[];
  readonly cipher: Cipher;
  readonly clock: Clock;
  /** Size of an upload's parts before it grows, and how many of one object are under way. */
  readonly partBytes: number;
  readonly partsInFlight: number;
  /**
   * Where the memory of parts that were sent waits for the next object, for those who write many:
   * fresh memory for each costs more than the sending.
   */
  readonly partBuffers?: Buffer[];
  /** How large objects are read; in one request each if absent. */
  readonly ranges?: RangeReading | undefined;
}

/** Every call that reaches the store hears this. */
export interface RunOptions {
  readonly signal: AbortSignal;
}
