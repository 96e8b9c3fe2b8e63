import { open, unlink, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { TsbkError } from '../../kernel/errors.ts';
import type { PutOptions, PutOutcome, Upload, UploadPart } from '../../ports/blob-store.ts';
import type { Clock } from '../../ports/clock.ts';
import { orAbort } from '../../stream/abort.ts';
import { makeDirectory, type DirectorySync } from './durable-directory.ts';
import { fileError, isAbsent } from './errors.ts';
import type { Root } from './paths.ts';
import { publish } from './publish.ts';
import { tempName } from './temp-name.ts';
import { writeVerified } from './write-verified.ts';

export interface UploadTarget {
  readonly path: string;
  readonly root: Root;
  readonly clock: Clock;
  readonly sync: DirectorySync;
}

/**
 * Begins a file beside its target, under a name that listings hide. Parts are written where they
 * belong and read back; `complete` checks that they leave no hole and that the file has their
 * length, fsyncs it and gives it its name.
 */
export async function beginUpload(target: UploadTarget, options: PutOptions): Promise<Upload> {
  const { temp, handle } = await createTemp(target);
  const ranges = new Map<number, Range>();
  let sealing: Promise<void> | undefined;
  let published: PutOutcome | undefined;

  const seal = async (): Promise<void> => {
    try {
      await sealFile(handle, target.path, lengthOf(ranges, target.path));
    } finally {
      await handle.close();
    }
  };
  return {
    part: async (part, { signal }) => {
      signal.throwIfAborted();
      ranges.set(part.number, { offset: part.offset, bytes: part.bytes.length });
      await orAbort(writePart(handle, part, target.path), signal);
    },
    complete: async ({ signal }) => {
      signal.throwIfAborted();
      // Once, also if called again: after a failed fsync the next one would lie.
      sealing ??= seal();
      await orAbort(sealing, signal);
      const { path, root, sync } = target;
      published ??= await publish({
        temp,
        target: path,
        ifAbsent: options.ifAbsent === true,
        root,
        sync,
      });
      return published;
    },
    abort: async () => {
      if (published !== undefined) return;
      sealing ??= handle.close();
      await sealing.catch(() => undefined);
      await discardTemp(temp);
    },
  };
}

/** Removes an unfinished upload; one that is gone already is fine. */
export async function discardTemp(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isAbsent(error)) throw fileError(error, `cannot remove ${path}`);
  }
}

interface Range {
  readonly offset: number;
  readonly bytes: number;
}

/** Times another process may remove the new folder, because it is empty, before we write into it. */
const CREATE_ATTEMPTS = 8;

async function createTemp(target: UploadTarget): Promise<{ temp: string; handle: FileHandle }> {
  for (let attempt = 1; ; attempt += 1) {
    const temp = tempName(target.path, target.clock.now());
    await makeDirectory(dirname(target.path), target.root);
    try {
      return { temp, handle: await open(temp, 'wx+', target.root.fileMode) };
    } catch (error) {
      if (isAbsent(error) && attempt < CREATE_ATTEMPTS) continue;
      throw fileError(error, `cannot create ${temp}`);
    }
  }
}

async function writePart(handle: FileHandle, part: UploadPart, path: string): Promise<void> {
  try {
    await writeVerified(handle, part.bytes, part.offset);
  } catch (error) {
    throw fileError(error, `cannot write ${path}`);
  }
}

/** Length of the object. Throws `store-corrupt-write` if the parts overlap or leave a hole. */
function lengthOf(ranges: ReadonlyMap<number, Range>, path: string): number {
  const inOrder = [...ranges].toSorted(([a], [b]) => a - b);
  let end = 0;
  for (const [number, range] of inOrder) {
    if (range.offset !== end) {
      throw new TsbkError(
        'store-corrupt-write',
        `part ${number} of ${path} begins at ${range.offset} instead of ${end}`,
        { retry: false },
      );
    }
    end += range.bytes;
  }
  return end;
}

async function sealFile(handle: FileHandle, path: string, bytes: number): Promise<void> {
  try {
    // A part that was sent again may have been longer the first time.
    await handle.truncate(bytes);
    await handle.sync();
    const { size } = await handle.stat();
    if (size === bytes) return;
    throw new TsbkError('store-corrupt-write', `${path} has ${size} bytes instead of ${bytes}`);
  } catch (error) {
    throw fileError(error, `cannot write ${path}`);
  }
}
