import type { ExtractOptions, ExtractReceipt, ExtractTask, FileSum, SumTask } from './extract.ts';
import type { FilesOptions, FilesTask } from './files.ts';

/**
 * An object that a lane makes of raw bytes from the calling thread. Exactly one of `end` and `fail`
 * must end it.
 */
export interface LaneWriter {
  /** How much the lane has been given and not got to: larger is more. */
  waiting(): number;
  /**
   * Takes bytes and resolves when more may come; from then on they may be changed. Rejects with
   * whatever has ended the object.
   */
  write(chunk: Uint8Array): Promise<void>;
  /** There are no more bytes. Resolves when the object is stored. */
  end(): Promise<Receipt>;
  /** Gives the object up. Resolves when nothing of it is under way or left; never rejects. */
  fail(error: unknown): Promise<void>;
}

/** What is left of an object once it is stored. */
export interface Receipt {
  /** Full key, with extension. */
  readonly key: string;
  /** The bytes before compression. */
  readonly plain: PlainId;
  /** The bytes in the store. */
  readonly stored: ContentId;
}

export interface ContentId {
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/**
 * What is known of content before compression. A part of a backup has no hash here, which would cost
 * half as much again as compressing it: what is stored has one, and each file in it a checksum.
 */
export type PlainId = Pick<ContentId, 'bytes'> & Partial<ContentId>;

/**
 * A lane in the calling thread, for one object beside those of the others: of so little data, and no
 * more, it makes an object sooner than another thread has started.
 */
export interface SmallLane extends Pick<Lanes, 'open'> {
  readonly bytesMax: number;
}

/**
 * Where objects are made (compress, encrypt, upload) and taken apart again. At most `width` tasks
 * run at once. `write` pulls its source only as fast as the store takes bytes. It never replaces
 * anything: a key that exists throws `object-exists`. A failure or abort of it leaves no object and
 * no upload behind.
 */
export interface Lanes {
  readonly width: number;
  /** Absent where a little is worth no way of its own. */
  readonly small?: SmallLane;
  /** Begins an object. `key` comes without the codec's extension, which the lane appends. */
  open(key: string, options: { readonly signal: AbortSignal }): LaneWriter;
  /**
   * Puts the members of one stored tar in their places, checked against its record. It removes
   * nothing when it fails: whoever claimed the directory does.
   */
  extract(task: ExtractTask, options: ExtractOptions): Promise<ExtractReceipt>;
  /** Reads files that a restore has made, and sums them, in their order. */
  sumFiles(task: SumTask, options: { readonly signal: AbortSignal }): Promise<readonly FileSum[]>;
  /**
   * Reads files of a data directory and writes them as one tar. Throws `file-unreadable` for one
   * that is there and cannot be read; wrong pages are told of and end nothing.
   */
  writeFiles(task: FilesTask, options: FilesOptions): Promise<Receipt>;
  close(): Promise<void>;
}
