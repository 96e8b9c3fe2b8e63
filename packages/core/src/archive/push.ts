import { basename } from 'node:path';
import { TsbkError } from '../kernel/errors.ts';
import type { SystemId } from '../kernel/system-id.ts';
import { parseWalFileName, type WalFileName } from '../kernel/wal-file.ts';
import { requireIdentity } from '../repository/identity.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { storeWal, type StoreWalOutcome } from '../repository/wal-archive.ts';
import { fileStamp, type FileStamp } from './file-identity.ts';
import { sharedNewness, type AskIsNew } from './shared-newness.ts';
import { openWalFile } from './wal-file.ts';

export interface PushRequest {
  /** What PostgreSQL gave as `%p`; relative to the current directory, which is the data directory. */
  readonly path: string;
  /**
   * System identifier of the server that runs the command, for files that do not carry it
   * themselves (history and backup-history files). `undefined` when it cannot be known.
   */
  readonly serverSystemId?: SystemId | undefined;
}

export interface PushResult {
  readonly name: string;
  readonly outcome: StoreWalOutcome;
  /** SHA-256 of the content that is durable, in hexadecimal. */
  readonly sha256: string;
  /** The file as it was before it was read. */
  readonly file: FileStamp;
}

/** Archives a file as `pushWal` does. Several may be under way at the same time. */
export type PushOne = (request: PushRequest, options: RunOptions) => Promise<PushResult>;

export interface WalPusherOptions {
  /** Whether one listing costs less than to look at each place of a segment. */
  readonly lists?: boolean;
}

/** What is asked of the repository once for all files. */
interface Shared {
  readonly proven: Set<SystemId>;
  readonly isNew: AskIsNew;
}

/** Pushes to one repository, of which what holds for all files is asked once. */
export function walPusher(
  repository: Repository,
  { lists = false }: WalPusherOptions = {},
): PushOne {
  const proven = new Set<SystemId>();
  const isNew = lists ? sharedNewness(repository) : undefined;
  return (request, { signal }) => pushWal(repository, request, { signal, proven, isNew });
}

/**
 * Archives one WAL file. When this resolves, another process that has only the repository and its
 * key can fetch the same bytes (PostgreSQL docs, "Setting Up WAL Archiving"). Throws `bad-wal-name`,
 * `wal-file-unreadable`, `wal-invalid`, `wrong-system-id`, `wal-conflict` and the store's errors;
 * whatever it throws, nothing that was archived has changed.
 */
export async function pushWal(
  repository: Repository,
  request: PushRequest,
  {
    signal,
    proven,
    isNew,
  }: RunOptions & { readonly [Key in keyof Shared]?: Shared[Key] | undefined },
): Promise<PushResult> {
  const file = requireName(request.path);
  await using opened = await openWalFile(request.path, file);
  const systemId = opened.systemId ?? request.serverSystemId;
  if (systemId !== undefined && proven?.has(systemId) !== true) {
    await requireIdentity(repository, systemId, { signal });
    proven?.add(systemId);
  }
  const { name } = file;
  const { outcome, sha256 } = await storeWal(
    repository,
    {
      name,
      bytes: opened.bytes,
      source: () => opened.content(),
      isNew: file.kind === 'segment' && (await isNew?.(name, { signal })) === true,
    },
    { signal },
  );
  return { name, outcome, sha256, file: fileStamp(opened.stats) };
}

function requireName(path: string): WalFileName {
  const name = basename(path);
  const file = parseWalFileName(name);
  if (file !== undefined) return file;
  throw new TsbkError('bad-wal-name', `${JSON.stringify(name)} is not the name of a WAL file`, {
    hint: 'archive_command must pass %p, the path of a file in pg_wal.',
  });
}
