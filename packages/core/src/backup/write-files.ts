import { crc32c } from '../format/crc32c.ts';
import { PAGE_BYTES } from '../format/page.ts';
import { encodeHeader, endOfArchive, padding } from '../format/tar/write.ts';
import { dataDirectory, type DataDirectory, type DataFile } from '../cluster/data-directory.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { FilesOptions, FilesTask, ReadMember } from '../ports/files.ts';
import type { Receipt } from '../ports/lanes.ts';
import type { Repository } from '../repository/repository.ts';
import { createPart } from '../repository/write-object.ts';
import type { Turnstile } from '../stream/turnstile.ts';
import { tarHeaderOf } from './canonical.ts';
import { filesBatches, type FilesBatches } from './files-batches.ts';
import { pageCheck } from './page-check.ts';
import { sourceMember } from './source-member.ts';

export interface WriteFilesOptions extends FilesOptions {
  /** Passed by all bytes that are read: the limit on the disk's rate. */
  readonly pace?: Turnstile | undefined;
  /** Where files are read; the directory at the task's root if absent. */
  readonly directory?: DataDirectory;
}

/** Small enough for memory, large enough for the system calls not to matter. */
const CHUNK_BYTES = 32 * PAGE_BYTES;

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
  const { directory = dataDirectory(task.root), signal } = options;
  for (const path of task.directories) {
    const facts = directory.directory(path);
    if (facts === undefined) continue;
    yield encodeHeader(tarHeaderOf(sourceMember('directory', path, { ...facts, bytes: 0 })));
    batches.member({ kind: 'directory', path, bytes: 0, modified: facts.modified, crc: 0 });
  }
  const memory = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  for (const path of task.files) {
    signal.throwIfAborted();
    using file = directory.open(path);
    if (file === undefined) continue;
    const { facts, bytes } = file;
    yield encodeHeader(tarHeaderOf(sourceMember('file', path, { ...facts, bytes })));
    yield* bodyOf(file, { path, task, memory, batches, options });
    const pad = padding(bytes);
    if (pad.length > 0) yield pad;
  }
  yield endOfArchive();
}

interface BodyContext {
  readonly path: TreePath;
  readonly task: FilesTask;
  /** For one chunk: each is lent, and done with when the next one is asked for. */
  readonly memory: Buffer;
  readonly batches: FilesBatches;
  readonly options: WriteFilesOptions;
}

/**
 * As many bytes as the header announced: what has been added since is left out and what has been
 * cut off is zeros, and recovery does either again from WAL.
 */
async function* bodyOf(
  file: DataFile,
  { path, task, memory, batches, options: { pace, signal } }: BodyContext,
): ByteSource {
  const { bytes, facts } = file;
  const { verifyBefore } = task;
  const check = verifyBefore === undefined ? undefined : pageCheck(path, file, verifyBefore);
  let crc = 0;
  for (let position = 0; position < bytes;) {
    const chunk = memory.subarray(0, Math.min(memory.length, bytes - position));
    await pace?.(chunk.length, signal);
    signal.throwIfAborted();
    const got = file.read(chunk, position);
    if (got < chunk.length) chunk.fill(0, got);
    check?.look(chunk.subarray(0, got - (got % PAGE_BYTES)), position);
    crc = crc32c(chunk, crc);
    position += chunk.length;
    batches.read(chunk.length);
    yield chunk;
  }
  const member: ReadMember = { kind: 'file', path, bytes, modified: facts.modified, crc };
  batches.member(member, check?.damage());
}
