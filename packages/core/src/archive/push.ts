import { basename } from 'node:path';
import { TsbkError } from '../kernel/errors.ts';
import type { SystemId } from '../kernel/system-id.ts';
import { parseWalFileName, type WalFileName } from '../kernel/wal-file.ts';
import { requireIdentity } from '../repository/identity.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { storeWal, type StoreWalOutcome } from '../repository/wal-archive.ts';
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
  { signal }: RunOptions,
): Promise<PushResult> {
  const file = requireName(request.path);
  await using opened = await openWalFile(request.path, file);
  const systemId = opened.systemId ?? request.serverSystemId;
  if (systemId !== undefined) await requireIdentity(repository, systemId, { signal });
  const outcome = await storeWal(
    repository,
    { name: file.name, source: () => opened.content() },
    { signal },
  );
  return { name: file.name, outcome };
}

function requireName(path: string): WalFileName {
  const name = basename(path);
  const file = parseWalFileName(name);
  if (file !== undefined) return file;
  throw new TsbkError('bad-wal-name', `${JSON.stringify(name)} is not the name of a WAL file`, {
    hint: 'archive_command must pass %p, the path of a file in pg_wal.',
  });
}
