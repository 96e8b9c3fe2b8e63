import type { ByteSource } from './bytes.ts';
import type { ExtractOptions, ExtractReceipt, ExtractTask } from './extract.ts';
import type { FilesOptions, FilesTask } from './files.ts';

/** One object to write: raw bytes in, a stored object out. */
export interface LaneTask {
  /** Key without the codec's extension, which the lane appends. */
  readonly key: string;
  readonly source: ByteSource;
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
 * Where objects are made (compress, encrypt, upload) and taken apart again. At most `width` tasks
 * run at once. `write` pulls its source only as fast as the store takes bytes. It never replaces
 * anything: a key that exists throws `object-exists`. A failure or abort of it leaves no object and
 * no upload behind.
 */
export interface Lanes {
  readonly width: number;
  write(task: LaneTask, options: { readonly signal: AbortSignal }): Promise<Receipt>;
  /**
   * Puts the members of one stored tar in their places, checked against its record. It removes
   * nothing when it fails: whoever claimed the directory does.
   */
  extract(task: ExtractTask, options: ExtractOptions): Promise<ExtractReceipt>;
  /**
   * Reads files of a data directory and writes them as one tar. Throws `file-unreadable` for one
   * that is there and cannot be read; wrong pages are told of and end nothing.
   */
  writeFiles(task: FilesTask, options: FilesOptions): Promise<Receipt>;
  close(): Promise<void>;
}
