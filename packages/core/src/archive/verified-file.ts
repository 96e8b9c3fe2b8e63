import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { messageOf, systemErrorCode, TsbkError } from '../kernel/errors.ts';
import type { SystemId } from '../kernel/system-id.ts';
import type { WalFileName } from '../kernel/wal-file.ts';
import { parseHistoryFile } from '../format/history-file.ts';
import { checkWalSegment } from '../format/wal/page-header.ts';
import type { OpenObject } from '../repository/read-object.ts';

interface VerifiedFile {
  readonly path: string;
  readonly file: WalFileName;
  readonly source: Pick<OpenObject, 'content'> & { readonly info: { readonly key: string } };
  /** SHA-256 that the content must have, when the archive knows it. */
  readonly sha256: string | undefined;
  /** System identifier that the content must have, when the reader has one. */
  readonly systemId: SystemId | undefined;
  readonly signal: AbortSignal;
}

/** The largest WAL segment is 1 GiB; anything longer is not WAL. */
const BYTES_MAX = 1024 * 1024 * 1024;
const FIRST_PAGE_BYTES = 8192;

/**
 * Writes the content of an archived WAL file to a new file and checks it: the codec's checksum, the
 * digest beside it, the length and the page header against the name and the cluster. Throws
 * `object-corrupt` and `wrong-system-id`; the caller removes the file then.
 */
export async function writeVerified(target: VerifiedFile): Promise<void> {
  const handle = await create(target.path);
  try {
    await write(handle, target);
  } finally {
    await handle.close();
  }
}

async function write(handle: FileHandle, target: VerifiedFile): Promise<void> {
  const { source, file, signal } = target;
  // It costs as much as all the rest, and most codecs have a checksum of their own.
  const hash = target.sha256 === undefined ? undefined : createHash('sha256');
  const head: Uint8Array[] = [];
  let bytes = 0;
  let headBytes = 0;
  for await (const chunk of source.content) {
    signal.throwIfAborted();
    if (bytes + chunk.length > BYTES_MAX) throw corrupt(target, 'is longer than any WAL file');
    if (headBytes < FIRST_PAGE_BYTES) {
      head.push(chunk.slice(0, FIRST_PAGE_BYTES - headBytes));
      headBytes += Math.min(chunk.length, FIRST_PAGE_BYTES - headBytes);
    }
    hash?.update(chunk);
    await writeAll(handle, chunk, target.path);
    bytes += chunk.length;
  }
  if (hash !== undefined && hash.digest('hex') !== target.sha256) {
    throw corrupt(target, 'does not have the SHA-256 that was recorded when it was archived');
  }
  checkContent(target, { file, page: Buffer.concat(head), bytes });
}

function checkContent(
  target: VerifiedFile,
  { file, page, bytes }: { file: WalFileName; page: Buffer; bytes: number },
): void {
  let systemId: SystemId | undefined;
  try {
    if (file.kind === 'segment') ({ systemId } = checkWalSegment(file.name, page, bytes));
    else if (file.kind === 'partial') ({ systemId } = checkWalSegment(file.segment, page, bytes));
    else if (bytes === 0) throw corrupt(target, 'is empty');
    else if (file.kind === 'history' && bytes === page.length) {
      parseHistoryFile(page.toString('utf8'), file.name);
    }
  } catch (error) {
    throw corrupt(target, `is not what its name says: ${messageOf(error)}`, error);
  }
  if (systemId !== undefined) mustBeOf(target, systemId);
}

function mustBeOf({ source, systemId: expected }: VerifiedFile, systemId: SystemId): void {
  if (expected === undefined || systemId === expected) return;
  throw new TsbkError(
    'wrong-system-id',
    `${source.info.key} is of the cluster with system identifier ${systemId}, ` +
      `the data directory is of ${expected}`,
    { hint: 'Give each cluster a prefix of its own (WALG_FILE_PREFIX, WALG_S3_PREFIX).' },
  );
}

async function create(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o600);
  } catch (error) {
    throw writeFailed(path, error);
  }
}

async function writeAll(handle: FileHandle, chunk: Uint8Array, path: string): Promise<void> {
  try {
    let done = 0;
    while (done < chunk.length) {
      done += (await handle.write(chunk, done, chunk.length - done)).bytesWritten;
    }
  } catch (error) {
    throw writeFailed(path, error);
  }
}

function writeFailed(path: string, error: unknown): TsbkError {
  const full = ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(systemErrorCode(error) ?? '');
  return new TsbkError(
    full ? 'disk-full' : 'restore-failed',
    `cannot write ${path}: ${messageOf(error)}`,
    { cause: error },
  );
}

function corrupt(target: VerifiedFile, what: string, cause?: unknown): TsbkError {
  return new TsbkError('object-corrupt', `${target.source.info.key} ${what}`, {
    hint: 'The archived copy is damaged or of another cluster. Compare it with the file in pg_wal of the primary or a standby.',
    cause,
  });
}
