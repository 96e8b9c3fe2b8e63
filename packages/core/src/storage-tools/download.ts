import { randomBytes } from 'node:crypto';
import { link, open, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { messageOf, systemErrorCode, TsbkError } from '../kernel/errors.ts';
import type { ByteSource } from '../ports/bytes.ts';

export interface Downloaded {
  readonly path: string;
  readonly bytes: number;
}

/**
 * Writes an object's content to a file, or into a directory under the object's name. The file
 * appears when it is whole and durable; one that is there is left alone (`download-failed`).
 */
export async function download(
  content: ByteSource,
  { key, destination }: { readonly key: string; readonly destination: string },
): Promise<Downloaded> {
  const found = await stat(destination).catch(() => undefined);
  const path = found?.isDirectory() === true ? join(destination, basename(key)) : destination;
  const partial = `${path}.tsbk-${randomBytes(8).toString('hex')}`;
  try {
    const bytes = await writeNew(content, partial);
    await link(partial, path);
    return { path, bytes };
  } catch (error) {
    throw downloadFailed(path, error);
  } finally {
    await rm(partial, { force: true });
  }
}

/** What lies in a backup is no other user's business. */
const MODE = 0o600;

async function writeNew(content: ByteSource, path: string): Promise<number> {
  await using file = await open(path, 'wx', MODE);
  let bytes = 0;
  for await (const chunk of content) {
    await file.writeFile(chunk);
    bytes += chunk.length;
  }
  await file.sync();
  return bytes;
}

function downloadFailed(path: string, error: unknown): unknown {
  const code = systemErrorCode(error);
  // What is no error of the file system is the store's, the codec's or the signal's.
  if (code === undefined || error instanceof TsbkError) return error;
  if (code === 'EEXIST') {
    return new TsbkError('download-failed', `${path} exists`, { hint: 'Choose another name.' });
  }
  return new TsbkError('download-failed', `cannot write ${path}: ${messageOf(error)}`);
}
