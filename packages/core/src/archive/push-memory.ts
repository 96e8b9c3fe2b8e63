import { randomBytes } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { lstat, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { instantToMs } from '../kernel/instant.ts';
import { parseWalFileName } from '../kernel/wal-file.ts';
import { openStateFolder } from '../cluster/state-directory.ts';
import type { Clock } from '../ports/clock.ts';
import type { RunOptions } from '../repository/repository.ts';
import { fileIdentity, isOlder } from './file-identity.ts';
import type { PushResult } from './push.ts';
import { formatPushRecord, parsePushRecord, type Asked, type PushRecord } from './push-record.ts';
import { hashWalFile, openWalFile } from './wal-file.ts';

/** What this server's commands know to be durable in the archive, so that nobody asks for it again. */
export interface PushMemory {
  /** Names that are remembered, with whatever content. A hint for who plans what to push. */
  names(): Promise<ReadonlySet<string>>;
  /**
   * Whether this very file, with this content, is durable in this repository. Reads the file where
   * its attributes do not prove it. `false` says nothing.
   */
  recalls(path: string, options: RunOptions): Promise<boolean>;
  /** Remembers a file that is durable. May be lost again, and never throws. */
  remember(pushed: PushResult): Promise<void>;
  /** Forgets what is old and what is too much. Never throws. */
  prune(): Promise<void>;
}

export interface PushMemoryOptions {
  readonly stateDirectory: string;
  /** Which repository: everything that decides where an object lies, without secrets. */
  readonly place: string;
  /** What the launcher may answer to. */
  readonly asked?: Asked | undefined;
  readonly clock: Clock;
}

const FOLDER = 'pushed';
const RECORDS_MAX = 512;
/** What was durable so long ago may have been removed from the archive by somebody. */
const AGE_MAX_MS = 3_600_000;
const RECORD_BYTES_MAX = 64 * 1024;

/**
 * Opens the memory in a state directory. A record is written whole or not at all, and is believed
 * only for the same name, the same repository and the same content, so that it may be lost, torn or
 * left behind at any moment. Throws `state-directory`.
 */
export async function openPushMemory(options: PushMemoryOptions): Promise<PushMemory> {
  const folder = await openStateFolder(options.stateDirectory, FOLDER);
  let probing: Promise<BigIntStats | undefined> | undefined;
  const stampNow = (): Promise<BigIntStats | undefined> => (probing ??= probe(folder));
  // Whatever is hashed from now on is hashed after this stamp.
  await stampNow();
  return {
    names: async () => new Set(await readdir(folder).catch(() => [])),
    recalls: async (path, { signal }) => {
      const record = await read(join(folder, basename(path)));
      return record !== undefined && (await matches(record, path, options, signal));
    },
    remember: async ({ name, file, sha256 }) => {
      const stamp = await stampNow();
      const isKnowable = stamp !== undefined && isOlder(file, stamp);
      const text = formatPushRecord({
        name,
        asked: isKnowable ? options.asked : undefined,
        identity: isKnowable ? fileIdentity(file) : undefined,
        place: options.place,
        bytes: Number(file.size),
        sha256,
        writtenMs: instantToMs(options.clock.now()),
      });
      if (text !== undefined) await write(folder, name, text).catch(() => undefined);
    },
    prune: () => prune(folder, options.clock).catch(() => undefined),
  };
}

/** What the file system takes for now. */
async function probe(folder: string): Promise<BigIntStats | undefined> {
  const path = temporaryIn(folder);
  try {
    const handle = await open(path, 'wx', 0o600);
    try {
      return await handle.stat({ bigint: true });
    } finally {
      await handle.close();
    }
  } catch {
    return undefined;
  } finally {
    await rm(path, { force: true }).catch(() => undefined);
  }
}

async function read(path: string): Promise<PushRecord | undefined> {
  try {
    const found = await lstat(path);
    if (!found.isFile() || found.size > RECORD_BYTES_MAX) return undefined;
    return parsePushRecord(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}

async function matches(
  record: PushRecord,
  path: string,
  { place, clock }: PushMemoryOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const ageMs = instantToMs(clock.now()) - record.writtenMs;
  const file = parseWalFileName(basename(path));
  if (file === undefined || record.name !== file.name || record.place !== place) return false;
  // A clock that was set back makes ages negative.
  if (!(ageMs >= 0 && ageMs < AGE_MAX_MS)) return false;
  await using opened = await openWalFile(path, file);
  if (opened.bytes !== record.bytes) return false;
  if (record.identity === fileIdentity(opened.stats)) return true;
  return (await hashWalFile(opened, signal)) === record.sha256;
}

async function write(folder: string, name: string, text: string): Promise<void> {
  const temporary = temporaryIn(folder);
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(text);
    } finally {
      await handle.close();
    }
    await rename(temporary, join(folder, name));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function temporaryIn(folder: string): string {
  return join(folder, `.${process.pid}-${randomBytes(4).toString('hex')}`);
}

async function prune(folder: string, clock: Clock): Promise<void> {
  const nowMs = instantToMs(clock.now());
  const names = await readdir(folder);
  const entries = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      const found = await lstat(path).catch(() => undefined);
      return { path, writtenMs: found?.mtimeMs ?? 0 };
    }),
  );
  const newestFirst = entries.toSorted((a, b) => b.writtenMs - a.writtenMs);
  const kept = newestFirst.findIndex(
    ({ writtenMs }, index) => index >= RECORDS_MAX || nowMs - writtenMs > AGE_MAX_MS,
  );
  if (kept === -1) return;
  for (const { path } of newestFirst.slice(kept)) await rm(path, { force: true });
}
