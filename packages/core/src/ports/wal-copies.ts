import type { ByteSource } from './bytes.ts';

/** A WAL file that a server still has. */
export interface WalCopy {
  /** As PostgreSQL names it: a segment or a history file. */
  readonly name: string;
  /**
   * The server itself says that the file is whole and will not change under this name: it has marked
   * it for archiving, or as archived.
   */
  readonly isMarked: boolean;
}

/**
 * WAL that a server has kept. Nothing of it is to be trusted: files are written to while they are
 * read, are names of the future with content of the past, or were never finished.
 */
export interface WalCopies {
  /** For people: a path, a host. */
  readonly where: string;
  /** Segments and history files, those that are no longer or not yet of use among them. */
  list(options: { readonly signal: AbortSignal }): Promise<readonly WalCopy[]>;
  /** The content now; `undefined` if the file is gone. */
  read(name: string, options: { readonly signal: AbortSignal }): Promise<ByteSource | undefined>;
}
