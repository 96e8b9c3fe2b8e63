import type { Lsn } from '../kernel/lsn.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import type { TimelineId } from '../kernel/wal-file.ts';
import type { ChangedRelations } from '../ports/changed-blocks.ts';
import type { PromisedObject } from '../ports/extract.ts';
import type { KnownFile } from '../ports/files.ts';
import { TsbkError } from '../kernel/errors.ts';
import { readFilesMetadata, type FileEntry } from '../repository/files-metadata.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import type { DeltaLink } from '../repository/sentinel.ts';

/**
 * How a delta finds out what changed since its parent: PostgreSQL says it (`server`), or tsbk sees it
 * by the pages' LSNs in what the server sends (`stream`) or in the files (`files`), or reads the files
 * where WAL summaries say that they changed (`summaries`).
 */
export type DeltaSource = 'server' | 'stream' | 'files' | 'summaries';

/** A delta that is to be taken. Who copies the files decides of each: whole, incremented, skipped. */
export interface Delta {
  readonly parent: ParentBackup;
  readonly source: DeltaSource;
  /** What the parent has; with all sources but `server`. */
  readonly known?: KnownFiles;
  /** What WAL summaries say was changed; with the source `summaries`. */
  readonly changes?: ChangedRelations;
}

/** The files that a parent has. */
export interface KnownFiles {
  /** A file of the data directory; `undefined` if the parent's records do not list it. */
  of(path: TreePath): KnownFile | undefined;
}

/** The backup that a delta stands on. */
export interface ParentBackup {
  readonly name: string;
  /** Start segment: what the delta's name ends with. */
  readonly segment: string;
  /** What the delta's sentinel says of it. */
  readonly link: DeltaLink;
  /** Pages with this LSN or a later one may have changed since. */
  readonly startLsn: Lsn;
  readonly stopLsn: Lsn;
  /** On which it started. */
  readonly timeline: TimelineId;
  /** What a restore of it needs, itself first, the full backup last. */
  readonly chain: readonly string[];
  /** PostgreSQL's, or what tsbk made of the same form; backups by WAL-G have none. */
  readonly manifest: PromisedObject | undefined;
}

/**
 * Reads the parent's `files_metadata.json` as it streams by. Only a file that is listed there, under
 * exactly the name that the delta has for it, may be incremented or skipped: WAL-G looks for its
 * older content under that name. Throws `backup-incomplete` if it is not there, `record-invalid`.
 */
export async function readParentFiles(
  repository: Repository,
  { name }: Pick<ParentBackup, 'name'>,
  options: RunOptions & { readonly onFile: (file: FileEntry) => void },
): Promise<void> {
  if (await readFilesMetadata(repository, name, options)) return;
  throw new TsbkError('backup-incomplete', `${name} has no files_metadata.json`, {
    hint: 'No delta can stand on it: take a full backup (--full).',
  });
}
