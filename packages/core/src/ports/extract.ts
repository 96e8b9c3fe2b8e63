import type { ChecksumAlgorithm } from '../kernel/checksum-algorithm.ts';
import type { NameIndex } from '../kernel/name-index.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import type { ContentId, PlainId } from './lanes.ts';

/** An object that a backup promises. */
export interface PromisedObject {
  readonly key: string;
  readonly extension: string;
  /** What the backup's side record says of it; WAL-G's backups have none. */
  readonly record: ObjectRecord | undefined;
}

/** Length and hash of an object before compression and as stored. */
export interface ObjectRecord {
  readonly plain: PlainId;
  readonly stored: ContentId;
}

/** Where a data directory is put together. */
export interface TreePlace {
  /** The data directory, absolute: it exists, was empty and belongs to this run. */
  readonly root: string;
  /** Directories of tablespaces by OID, of which the same is true. */
  readonly tablespaces: ReadonlyMap<string, string>;
  /** `false`: nothing is flushed to disk. */
  readonly fsync: boolean;
}

/** One tar whose members are to be put in their places. Plain data: it may go to another thread. */
export interface ExtractTask {
  readonly tar: PromisedObject;
  readonly place: TreePlace;
  /** Names, as in the tar, of the members to place; `undefined` for all. */
  readonly wanted: NameIndex | undefined;
  /** What to sum each file by. */
  readonly checksum: ChecksumAlgorithm;
}

/** What became of one member of a tar. */
export type ExtractedMember = {
  /** As in the tar; `undefined` if it is not UTF-8, which no JSON record can hold. */
  readonly name: string | undefined;
  readonly path: TreePath;
} & (
  | { readonly kind: 'directory' }
  | { readonly kind: 'link' }
  /** `taken`: something has that path already. Nothing was read or changed. */
  | { readonly kind: 'taken' }
  /** `left-out`: read, and not for a restored directory. */
  | ({ readonly kind: 'placed' } & FileSum)
  | ({ readonly kind: 'left-out' } & FileSum)
  /** Not placed but handed over: it has its turn when everything else is in place. */
  | ({ readonly kind: 'held'; readonly content: Uint8Array; readonly mode: number } & FileSum)
);

/** What the manifest says of a file, as it was found. */
export interface FileSum {
  readonly bytes: number;
  /** By the task's algorithm, lower-case hexadecimal. */
  readonly checksum: string;
}

/** Some of what happened since the last batch, at most a few hundred members. */
export interface ExtractBatch {
  /** Content that was read, in bytes. */
  readonly bytes: number;
  readonly members: readonly ExtractedMember[];
  readonly warnings: readonly { readonly code: string; readonly text: string }[];
}

/** Directories and links of a tree. */
export interface MadeTree {
  /** They exist; what mode each shall have at the end, if a tar says so. */
  readonly directories: readonly (readonly [TreePath, number | undefined])[];
  /** To be made at the end, when nothing can be written through them any more. */
  readonly links: readonly (readonly [TreePath, string])[];
}

export interface ExtractOptions {
  readonly signal: AbortSignal;
  /** Hears of everything before `extract` settles. What it throws ends the task. */
  readonly onBatch: (batch: ExtractBatch) => void;
}

/** What a tar's members have left behind beside files. */
export interface ExtractReceipt extends MadeTree {
  /** Mode of the data directory itself, if the tar says it. */
  readonly rootMode: number | undefined;
}
