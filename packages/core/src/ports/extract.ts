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
  /** The data directory, absolute: it exists, belongs to this run, and was empty unless it is restored in place. */
  readonly root: string;
  /** Directories of tablespaces by OID, of which the same is true. */
  readonly tablespaces: ReadonlyMap<string, string>;
  /** Where `pg_wal` leads, if it is a link that stays. */
  readonly walLocation?: string | undefined;
  /** `false`: nothing is flushed to disk. */
  readonly fsync: boolean;
}

/** One tar whose members are to be put in their places. Plain data: it may go to another thread. */
export interface ExtractTask {
  readonly tar: PromisedObject;
  readonly place: TreePlace;
  /** Which members to place; `undefined` for all. */
  readonly wanted: WantedMembers | undefined;
  /** What to sum each file by. */
  readonly checksum: ChecksumAlgorithm;
}

/**
 * What of one backup's tars is to be placed, while its chain is put together from the newest to the
 * oldest. Shared memory that lanes only read.
 */
export interface WantedMembers {
  /** By the path of the member. */
  readonly names: NameIndex;
  /** For each name: 0 it is not wanted, 1 the member is the file, 2 it is an increment of the file. */
  readonly turns: Uint8Array;
  /** Whether this is the newest backup: what no record lists comes from there. */
  readonly isNewest: boolean;
  readonly begun: BegunFiles;
  /**
   * For each name: 1 while a file of before lies there that the member is to be written over, which
   * whoever does it sets to 0. `undefined` where the directory was empty.
   */
  readonly over?: Uint8Array | undefined;
}

/** Files that are on the disk with some of their pages, and wait for the others. */
export interface BegunFiles {
  /** For each name its place in `limits` and `starts` plus one; 0 for a file that is not begun. */
  readonly slots: Uint32Array;
  /** Where older pages of the file end, bytes. */
  readonly limits: Float64Array;
  /** Where the file's bits begin in `placed`, bytes. */
  readonly starts: Float64Array;
  /** A bit for each page below the file's limit, the lowest first: 1 if it is in place. */
  readonly placed: Uint8Array;
}

/** Files of a restored tree to sum. */
export interface SumTask {
  readonly place: TreePlace;
  readonly paths: readonly TreePath[];
  readonly checksum: ChecksumAlgorithm;
  /**
   * The files are not of this restore but lay there before. One that cannot be read has a length of
   * -1 then; all others are flushed where the place says so, because they may stay.
   */
  readonly isExisting?: boolean;
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
  /** `sparedBytes`: of a file that was there before, what it had already and was not written. */
  | ({ readonly kind: 'placed'; readonly sparedBytes: number } & FileSum)
  | ({ readonly kind: 'left-out' } & FileSum)
  /** Pages of an increment are in place: the file is there, and has open pages unless it is complete. */
  | {
      readonly kind: 'pages';
      /** The file was not there before. */
      readonly isNew: boolean;
      /** Where older pages of the file end from now on, bytes. */
      readonly limit: number;
      /** Numbers of the pages below it that were placed. */
      readonly blocks: Uint32Array;
      readonly isComplete: boolean;
      readonly runs: PageRuns;
    }
  /** The member had the open pages of a begun file, which is complete now. */
  | { readonly kind: 'filled'; readonly runs: PageRuns }
  /** Not placed but handed over: it has its turn when everything else is in place. */
  | ({ readonly kind: 'held'; readonly content: Uint8Array; readonly mode: number } & FileSum)
);

/**
 * Sums of the pages that were placed: of each run of neighbours three numbers, its first page, how many
 * they are, and their CRC-32C. Empty where files are not summed by that, or a page was cut.
 */
export type PageRuns = Uint32Array;

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
