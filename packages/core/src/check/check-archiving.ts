import { formatDuration } from '../kernel/duration.ts';
import { isTsbkError } from '../kernel/errors.ts';
import { checkWalSegment } from '../format/wal/page-header.ts';
import type { SystemId } from '../kernel/system-id.ts';
import { parseWalFileName } from '../kernel/wal-file.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { findWal, openWal } from '../repository/wal-archive.ts';
import { failed, ok, warning, type Finding } from './finding.ts';

/** The server's side of the trial. */
export interface ArchivingServer {
  readonly systemId: SystemId | undefined;
  /** Ends the current segment and names it; `undefined` when the role may not, or on a standby. */
  switchSegment(): Promise<string | undefined>;
  /** The newest file that the archiver reported as archived. */
  lastArchived(): Promise<string | undefined>;
  /** One sentence on how archiving goes. */
  archiverState(): Promise<string | undefined>;
}

const PAUSE_MS = 250;
const FIRST_PAGE_BYTES = 8192;

/**
 * Sees a segment through: ends the current one, waits until it is in the repository, and reads it
 * back. Where the role may not do that, the archiver's last success is looked for instead.
 */
export async function checkArchivedSegment(
  repository: Repository,
  server: ArchivingServer,
  { signal, timeoutMs }: RunOptions & { readonly timeoutMs: number },
): Promise<Finding[]> {
  try {
    const switched = await server.switchSegment();
    const name = switched ?? (await server.lastArchived());
    if (name === undefined) {
      return [
        warning(
          'archiving',
          'nothing was archived yet, so the archive was not tried',
          'Run SELECT pg_switch_wal(); then tsbk check again.',
        ),
      ];
    }
    const arrived = await waitFor(repository, name, { signal, timeoutMs });
    if (!arrived) return [await notArrived(server, name, timeoutMs)];
    return await readBack(repository, name, { signal, systemId: server.systemId });
  } catch (error) {
    if (!isTsbkError(error)) throw error;
    return [failed('archiving', error.message, error.hint ?? `See ${error.code}.`)];
  }
}

async function waitFor(
  repository: Repository,
  name: string,
  { signal, timeoutMs }: RunOptions & { readonly timeoutMs: number },
): Promise<boolean> {
  const { clock } = repository;
  const end = clock.monotonicMs() + timeoutMs;
  while ((await findWal(repository, name, { signal })) === undefined) {
    if (clock.monotonicMs() >= end) return false;
    await clock.sleep(PAUSE_MS, { signal });
  }
  return true;
}

async function notArrived(
  server: ArchivingServer,
  name: string,
  timeoutMs: number,
): Promise<Finding> {
  const state = (await server.archiverState()) ?? 'The server does not say why.';
  return failed(
    'archiving',
    `${name} did not reach the repository within ${formatDuration(timeoutMs)}. ${state}`,
    'Read the server log: it has the output of archive_command. Its settings must name this repository.',
  );
}

async function readBack(
  repository: Repository,
  name: string,
  { signal, systemId }: RunOptions & { readonly systemId: SystemId | undefined },
): Promise<Finding[]> {
  if (repository.cipher.unreadable !== undefined) {
    return [ok('archiving', `${name} was archived; reading it back needs the private key`)];
  }
  const opened = await openWal(repository, name, { signal });
  if (opened === undefined) {
    return [
      failed('archiving', `${name} went away again`, 'Find out who deletes from the archive.'),
    ];
  }
  const head: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of opened.content) {
    if (bytes < FIRST_PAGE_BYTES) head.push(chunk.slice(0, FIRST_PAGE_BYTES - bytes));
    bytes += chunk.length;
  }
  const file = parseWalFileName(name);
  if (file?.kind === 'segment') {
    const facts = checkWalSegment(name, Buffer.concat(head), bytes);
    if (systemId !== undefined && facts.systemId !== systemId) {
      return [
        failed(
          'archiving',
          `${name} in the repository is of another cluster (system identifier ${facts.systemId})`,
          'Give each cluster a prefix of its own.',
        ),
      ];
    }
  }
  return [ok('archiving', `${name} was archived and read back whole (${bytes} bytes)`)];
}
