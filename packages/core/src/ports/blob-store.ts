import type { Instant } from '../kernel/instant.ts';
import type { ByteSource } from './bytes.ts';

/** What a store knows of one object. */
export interface BlobInfo {
  /** Path below the store's root, `/`-separated, no leading slash. */
  readonly key: string;
  readonly bytes: number;
  /** Time of the last write, by the store's clock. */
  readonly modified: Instant;
  /**
   * Names this very content of this key (S3: the ETag). Given back to `get`, it makes a resumed
   * read fail rather than mix two objects. Never compared with a hash.
   */
  readonly version: string;
}

export interface Blob {
  readonly info: BlobInfo;
  /**
   * The content within the offsets asked for. Ends normally only after exactly the announced number
   * of bytes; a connection that ends early throws `object-truncated`. Must be read to its end
   * or left by `return()`, which frees the connection.
   */
  readonly body: ByteSource;
}

export type PutOutcome = 'stored' | 'exists';

export interface CallOptions {
  readonly signal: AbortSignal;
}

export interface GetOptions extends CallOptions {
  /** Offset of the first byte wanted. Default 0. */
  readonly from?: number;
  /** Offset behind the last byte wanted; the end of the object if absent or beyond it. */
  readonly until?: number;
  /** Throw `object-corrupt` if the object is no longer this one. */
  readonly version?: string;
}

export interface PutOptions extends CallOptions {
  /**
   * Write only if the key does not exist: of several writers at the same moment exactly one gets
   * `stored`. Without it the write replaces what is there.
   */
  readonly ifAbsent?: boolean;
}

/** One part of an upload. Parts are contiguous; `number` counts from 1. */
export interface UploadPart {
  readonly number: number;
  /** Where this part begins in the object. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** An object being written in parts. Exactly one of `complete` and `abort` must end it. */
export interface Upload {
  /**
   * Stores one part. Parts may be sent concurrently and in any order; sending the same number
   * again replaces it. The caller must not change `bytes` until the promise settles.
   */
  part(part: UploadPart, options: CallOptions): Promise<void>;
  /**
   * Makes the object visible, whole, durable. Before this nothing is visible under the key. After
   * a failure of unknown outcome it may be called again.
   */
  complete(options: CallOptions): Promise<PutOutcome>;
  /** Removes what was sent. Never throws for an upload that is already gone. */
  abort(options: CallOptions): Promise<void>;
}

export interface StoreLimits {
  /** Smallest size of a part that is not the last one. */
  readonly partBytesMin: number;
  readonly partBytesMax: number;
  readonly partsMax: number;
  /** Largest object, if the service sets one. */
  readonly objectBytesMax?: number;
}

/** An upload that was begun and neither completed nor aborted: what `kill -9` leaves behind. */
export interface UnfinishedUpload {
  readonly key: string;
  readonly started: Instant;
  /** Frees what was sent. Succeeds if it is gone already. */
  discard(options: CallOptions): Promise<void>;
}

/**
 * A flat map from keys to immutable byte strings. Promises, tested by `test/contracts/blob-store`:
 *
 * - **Durable**: when `put` or `complete` resolves, the object survives a crash of this machine
 *   (directory) or is acknowledged by the service (S3), and what is stored was verified by length
 *   and checksum against what was sent.
 * - **Atomic**: readers and listers see the whole object or nothing, also after `kill -9`.
 * - **Read-after-write**: `stat` and `get` see a completed write at once. `list` may lag on exotic
 *   stores: no promise of tsbk depends on it alone.
 * - **Absence is an answer**: `stat` and `get` give `undefined` only if the store itself, reached
 *   and authenticated, says that the key does not exist. A missing bucket or directory throws
 *   `store-missing`, a refused request `store-denied`, silence `store-unreachable`.
 * - **No retries** here: an adapter tries once and says by the error's `retry` whether trying again
 *   can help. Each request has a deadline of its own and hears the signal, whose reason it throws.
 * - Keys are those of `kernel/object-key`; anything else throws `unsafe-name` and is left out of
 *   lists. No key may be a folder of another one (`a` and `a/b`): a directory cannot hold both.
 * - A put if absent that answers `exists` found an object that is *durable*. `stat` and `get` say
 *   nothing about durability: its writer may still be at it.
 */
export interface BlobStore {
  /** For people and logs: `s3://bucket/prefix`, `/var/backups`. Holds no secret. */
  readonly url: string;
  readonly limits: StoreLimits;
  stat(key: string, options: CallOptions): Promise<BlobInfo | undefined>;
  /**
   * Whether an object exists *durably*; makes it durable where its writer has not got to that yet.
   * For those who answer for what somebody else wrote.
   */
  confirm(key: string, options: CallOptions): Promise<boolean>;
  get(key: string, options: GetOptions): Promise<Blob | undefined>;
  /** Stores a small object in one request. */
  put(key: string, bytes: Uint8Array, options: PutOptions): Promise<PutOutcome>;
  /** Begins an object that is written in parts. */
  upload(key: string, options: PutOptions): Promise<Upload>;
  /**
   * Objects below a prefix (which ends in `/` or is empty), sorted by key (UTF-8 byte order).
   * Half-written ones are not among them. A prefix without objects gives nothing.
   */
  list(prefix: string, options: ListOptions): AsyncIterable<BlobInfo>;
  /**
   * Names, without slashes, of the folders directly below a prefix that hold an object. They come
   * in the order of the keys below them: `a.x` (`a.x/…`) before `a` (`a/…`).
   */
  folders(prefix: string, options: CallOptions): AsyncIterable<string>;
  /** Removes an object. Removing one that is not there succeeds. */
  remove(key: string, options: CallOptions): Promise<void>;
  /**
   * Uploads below a prefix that nobody has finished, the running ones of other processes among
   * them: judge by `started`. They are invisible to `list` and cost space.
   */
  unfinished(prefix: string, options: CallOptions): AsyncIterable<UnfinishedUpload>;
  /** Frees connections. The store must not be used afterwards. */
  close(): Promise<void>;
}

export interface ListOptions extends CallOptions {
  /** Only objects directly below the prefix, not those in its folders. */
  readonly shallow?: boolean;
  /** Only keys greater than this one. */
  readonly after?: string;
}
