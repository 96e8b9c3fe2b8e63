import { constants, type BigIntStats } from 'node:fs';
import { lstat, open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemErrorCode, TsbkError } from '../../kernel/errors.ts';
import { toInstant } from '../../kernel/instant.ts';
import type { Blob, BlobInfo, GetOptions } from '../../ports/blob-store.ts';
import { orAbort } from '../../stream/abort.ts';
import { ownedSource } from '../../stream/owned-source.ts';
import { fileError, isAbsent } from './errors.ts';
import { directoryExists, linkRefused, objectPath, type Root } from './paths.ts';

const CHUNK_BYTES = 256 * 1024;

/** What the directory knows of an object, `undefined` if there is none. */
export async function statFile(
  root: Root,
  key: string,
  { exists = directoryExists }: { readonly exists?: typeof directoryExists } = {},
): Promise<BlobInfo | undefined> {
  const path = objectPath(root, key);
  if (!(await exists(dirname(path)))) return undefined;
  try {
    return infoOf(key, path, await lstat(path, { bigint: true }));
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw fileError(error, `cannot read ${path}`);
  }
}

/** Opens an object, `undefined` if there is none. The file is closed when the body is done. */
export async function getFile(
  root: Root,
  key: string,
  options: GetOptions,
): Promise<Blob | undefined> {
  const path = objectPath(root, key);
  const handle = await openObject(path);
  if (handle === undefined) return undefined;
  try {
    const info = infoOf(key, path, await handle.stat({ bigint: true }));
    if (info !== undefined) {
      checkUnchanged(info, options);
      const body = chunksOf(handle, { path, bytes: info.bytes }, options);
      return { info, body: ownedSource(body, () => release(handle)) };
    }
  } catch (error) {
    release(handle);
    throw fileError(error, `cannot read ${path}`);
  }
  release(handle);
  return undefined;
}

/** The port's view of a file; `undefined` for a folder, which is no object. */
export function infoOf(key: string, path: string, found: BigIntStats): BlobInfo | undefined {
  if (found.isDirectory()) return undefined;
  if (found.isSymbolicLink()) throw linkRefused(path);
  if (!found.isFile()) throw new TsbkError('store-failed', `${path} is not a regular file`);
  return {
    key,
    bytes: Number(found.size),
    modified: toInstant(found.mtimeNs),
    version: `${found.mtimeNs}-${found.size}-${found.ino}`,
  };
}

async function openObject(path: string): Promise<FileHandle | undefined> {
  if (!(await directoryExists(dirname(path)))) return undefined;
  try {
    // Without O_NONBLOCK, opening a FIFO would wait for its writer.
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    if (systemErrorCode(error) === 'ELOOP') throw linkRefused(path);
    throw fileError(error, `cannot read ${path}`);
  }
}

function checkUnchanged(info: BlobInfo, { from = 0, version }: GetOptions): void {
  if ((version === undefined || version === info.version) && from <= info.bytes) return;
  throw new TsbkError('object-corrupt', `${info.key} was replaced while it was read`);
}

async function* chunksOf(
  handle: FileHandle,
  { path, bytes }: { readonly path: string; readonly bytes: number },
  { from = 0, until = Infinity, signal }: GetOptions,
): AsyncGenerator<Uint8Array> {
  const end = Math.min(until, bytes);
  let coming: Promise<Uint8Array> | undefined;
  for (let at = from; at < end;) {
    const chunk = await (coming ?? readSome(handle, { path, at, end, signal }));
    if (chunk.length === 0) {
      throw new TsbkError('object-truncated', `${path} ends at ${at} instead of ${bytes} bytes`);
    }
    at += chunk.length;
    // The next one is read while the reader is busy with this one.
    coming = at < end ? readSome(handle, { path, at, end, signal }) : undefined;
    coming?.catch(() => undefined);
    yield chunk;
  }
}

interface Place {
  readonly path: string;
  readonly at: number;
  readonly end: number;
  readonly signal: AbortSignal;
}

async function readSome(handle: FileHandle, { path, at, end, signal }: Place): Promise<Uint8Array> {
  const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, end - at));
  try {
    const { bytesRead } = await orAbort(handle.read(chunk, 0, chunk.length, at), signal);
    return chunk.subarray(0, bytesRead);
  } catch (error) {
    if (signal.aborted) throw error;
    throw fileError(error, `cannot read ${path}`);
  }
}

/** Not awaited: after an abort, closing waits for a read that may never come back. */
function release(handle: FileHandle): void {
  handle.close().catch(() => undefined);
}
