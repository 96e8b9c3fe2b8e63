import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { messageOf, TsbkError } from '../kernel/errors.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import { fileChecksum } from '../format/file-checksum.ts';
import type { FileSum, SumTask } from '../ports/extract.ts';
import type { RunOptions } from '../repository/repository.ts';
import { locate } from '../cluster/locate.ts';
import { printable } from '../format/tree-path.ts';

const BUFFER_BYTES = 1024 * 1024;
/** Stands for the length of a file that cannot be read. */
const UNREADABLE_BYTES = -1;

/** Length and checksum of each file, read from the disk. Throws `restore-failed`. */
export async function sumFiles(task: SumTask, { signal }: RunOptions): Promise<FileSum[]> {
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  const sums: FileSum[] = [];
  for (const path of task.paths) {
    const sum = fileChecksum(task.checksum);
    let bytes = 0;
    try {
      for await (const chunk of contentOf(task, path, { buffer, signal })) {
        sum.add(chunk);
        bytes += chunk.length;
      }
    } catch (error) {
      // Where the disk has lost something it is what a restore in place is to mend.
      if (task.isExisting !== true || signal.aborted) throw error;
      bytes = UNREADABLE_BYTES;
    }
    sums.push({ bytes, checksum: sum.hex() });
  }
  return sums;
}

/** Each chunk is lent until the next one is asked for. */
async function* contentOf(
  { place, isExisting }: SumTask,
  path: TreePath,
  { buffer, signal }: RunOptions & { readonly buffer: Buffer },
): AsyncGenerator<Uint8Array> {
  try {
    await using file = await open(locate(place, path), constants.O_RDONLY | constants.O_NOFOLLOW);
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) break;
      yield buffer.subarray(0, bytesRead);
    }
    // What a server that crashed has written may be in memory only.
    if (isExisting === true && place.fsync) await file.sync();
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const what = `${place.root}/${printable(path)}`;
    throw new TsbkError('restore-failed', `${what} cannot be read again: ${messageOf(error)}`, {
      cause: error,
      hint: 'It was made by this restore a moment ago. Look at the disk, and that nothing else works there.',
    });
  }
}
