import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { constants, open, type FileHandle } from 'node:fs/promises';
import { messageOf, TsbkError } from '../kernel/errors.ts';
import type { SystemId } from '../kernel/system-id.ts';
import type { WalFileName } from '../kernel/wal-file.ts';
import { checkWalSegment } from '../format/wal/page-header.ts';
import type { ByteSource } from '../ports/bytes.ts';
import { release } from '../stream/release.ts';

/** A WAL file of the server, opened and checked. */
export interface OpenWalFile extends AsyncDisposable {
  /** From the page header; history and backup-history files have none. */
  readonly systemId: SystemId | undefined;
  readonly bytes: number;
  /** As it was when it was opened. */
  readonly stats: BigIntStats;
  /**
   * The content, from the start. A chunk is lent: its memory is used again for the next. Fails with `wal-file-unreadable` at its end if the file is not the
   * one that was opened any more (size or time of modification), so that nothing half-written is
   * ever completed in the store.
   */
  content(): ByteSource;
}

const READ_BYTES = 1024 * 1024;
const FIRST_PAGE_BYTES = 8192;
/** History and backup-history files are a few lines. */
const TEXT_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Opens a WAL file to archive it, and checks what PostgreSQL would check when it reads it back:
 * size, page magic, address, timeline. Throws `wal-file-unreadable` and `wal-invalid`.
 */
export async function openWalFile(path: string, file: WalFileName): Promise<OpenWalFile> {
  const handle = await openOrThrow(path);
  try {
    const before = await handle.stat({ bigint: true });
    if (!before.isFile()) throw unreadable(path, 'is not a regular file');
    const bytes = Number(before.size);
    const systemId = await check(handle, path, { file, bytes });
    return {
      systemId,
      bytes,
      stats: before,
      content: () => read(handle, { path, size: before.size, mtimeNs: before.mtimeNs }),
      [Symbol.asyncDispose]: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** SHA-256 of the content, in hexadecimal. Throws `wal-file-unreadable` if it changes meanwhile. */
export async function hashWalFile(opened: OpenWalFile, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of opened.content()) {
    signal.throwIfAborted();
    hash.update(chunk);
  }
  return hash.digest('hex');
}

async function check(
  handle: FileHandle,
  path: string,
  { file, bytes }: { readonly file: WalFileName; readonly bytes: number },
): Promise<SystemId | undefined> {
  if (file.kind === 'history' || file.kind === 'backup-history') {
    if (bytes > 0 && bytes <= TEXT_BYTES_MAX) return undefined;
    throw new TsbkError(
      'wal-invalid',
      `${path} has ${bytes} bytes, which no ${file.kind} file has`,
    );
  }
  const page = Buffer.alloc(Math.min(FIRST_PAGE_BYTES, bytes));
  const { bytesRead } = await handle.read(page, 0, page.length, 0);
  const name = file.kind === 'segment' ? file.name : file.segment;
  return checkWalSegment(name, page.subarray(0, bytesRead), bytes).systemId;
}

interface Expected {
  readonly path: string;
  readonly size: bigint;
  readonly mtimeNs: bigint;
}

async function* read(handle: FileHandle, expected: Expected): ByteSource {
  const size = Number(expected.size);
  // Two for all: fresh memory costs more than the reading does.
  let buffer = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, size));
  let other = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, size));
  let coming: Promise<Buffer> | undefined;
  try {
    for (let at = 0; at < size;) {
      const chunk = await (coming ?? readSome(handle, buffer, { at, path: expected.path }));
      at += chunk.length;
      [buffer, other] = [other, buffer];
      // The next one is read while the reader is busy with this one.
      coming = at < size ? readSome(handle, buffer, { at, path: expected.path }) : undefined;
      coming?.catch(() => undefined);
      yield chunk;
    }
    // Not where the reader leaves early: native code of its may still be at the last chunk.
    for (const each of [buffer, other]) release(each);
  } finally {
    await coming?.catch(() => undefined);
  }
  const after = await handle.stat({ bigint: true });
  if (after.size !== expected.size || after.mtimeNs !== expected.mtimeNs) {
    throw unreadable(expected.path, 'changed while it was read');
  }
}

async function readSome(
  handle: FileHandle,
  into: Buffer,
  { at, path }: { readonly at: number; readonly path: string },
): Promise<Buffer> {
  const { bytesRead } = await handle.read(into, 0, into.length, at);
  if (bytesRead === 0) throw unreadable(path, 'became shorter while it was read');
  return into.subarray(0, bytesRead);
}

async function openOrThrow(path: string): Promise<FileHandle> {
  try {
    // Without O_NONBLOCK a named pipe would be waited for, and no signal could end that.
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw new TsbkError('wal-file-unreadable', `cannot open ${path}: ${messageOf(error)}`, {
      hint: 'archive_command must pass %p and run as the operating-system user of the server.',
      cause: error,
    });
  }
}

function unreadable(path: string, what: string): TsbkError {
  return new TsbkError('wal-file-unreadable', `${path} ${what}`, {
    hint: 'PostgreSQL will offer it again.',
  });
}
