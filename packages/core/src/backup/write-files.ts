import { PageSelection } from '../format/increment/page-selection.ts';
import { encodeHeader, endOfArchive } from '../format/tar/write.ts';
import { dataDirectory, type DataDirectory, type EntryFacts } from '../cluster/data-directory.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { FilesOptions, FilesTask, ReadMember } from '../ports/files.ts';
import type { Receipt } from '../ports/lanes.ts';
import type { Repository } from '../repository/repository.ts';
import { createPart } from '../repository/write-object.ts';
import type { Turnstile } from '../stream/turnstile.ts';
import { tarHeaderOf } from '../repository/new-backup/canonical.ts';
import { changedEntry } from './changed-entry.ts';
import { filesBatches, type FilesBatches } from './files-batches.ts';
import { KeptPages } from './kept-pages.ts';
import { CHUNK_BYTES } from './read-chunks.ts';
import { sourceMember } from './source-member.ts';
import { wholeEntry } from './whole-entry.ts';

export interface WriteFilesOptions extends FilesOptions {
  /** Passed by all bytes that are read: the limit on the disk's rate. */
  readonly pace?: Turnstile | undefined;
  /** Where files are read; the directory at the task's root if absent. */
  readonly directory?: DataDirectory;
}

/** For the pages of an increment: most have fewer. */
const KEPT_BYTES = 4 * 1024 * 1024;

/**
 * Makes one tar of files that a server is at work on and stores it: what a lane does with a
 * `FilesTask`. What recovery mends may be inconsistent in the tar; its form never is.
 */
export async function writeFiles(
  repository: Repository,
  task: FilesTask,
  options: WriteFilesOptions,
): Promise<Receipt> {
  const batches = filesBatches(options.onBatch);
  const source = tarOf(task, batches, options);
  const receipt = await createPart(repository, { key: task.key, source }, options);
  batches.flush();
  return receipt;
}

async function* tarOf(
  task: FilesTask,
  batches: FilesBatches,
  options: WriteFilesOptions,
): ByteSource {
  const { delta, verifyBefore } = task;
  const { directory = dataDirectory(task.root), pace, signal } = options;
  for (const path of task.directories) {
    const facts = directory.directory(path);
    if (facts === undefined) continue;
    yield encodeHeader(tarHeaderOf(sourceMember('directory', path, { ...facts, bytes: 0 })));
    batches.member(directoryMember(path, facts));
  }
  const memory = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  const kept = new KeptPages(KEPT_BYTES);
  const selection = delta && new PageSelection(delta.base);
  for (const [index, path] of task.files.entries()) {
    signal.throwIfAborted();
    using file = directory.open(path);
    if (file === undefined) continue;
    const known = delta?.known[index];
    const context = { path, verifyBefore, memory, batches, pace, signal };
    yield* selection === undefined || known === undefined
      ? wholeEntry(file, context)
      : changedEntry(file, known, { ...context, selection, kept });
  }
  yield endOfArchive();
}

function directoryMember(path: TreePath, { modified }: EntryFacts): ReadMember {
  const content = 'whole';
  return { kind: 'directory', path, content, fileBytes: 0, bytes: 0, modified, crc: 0 };
}
