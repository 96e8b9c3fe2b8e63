import { rename, rm } from 'node:fs/promises';
import { isTsbkError, TsbkError } from '../kernel/errors.ts';
import type { SystemId } from '../kernel/system-id.ts';
import { parseWalFileName, type WalFileName } from '../kernel/wal-file.ts';
import type { Clock } from '../ports/clock.ts';
import type { Report } from '../ports/report.ts';
import { requireRepository } from '../repository/identity.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { openWal } from '../repository/wal-archive.ts';
import { carriesChecksum, readWalDigest } from '../repository/wal-digest.ts';
import type { OpenObject } from '../repository/read-object.ts';
import { cutSilence } from './cut-silence.ts';
import { mustStillBeAbsent, requireArchiveEnd } from './archive-end.ts';
import { getFromPieces } from './get-pieces.ts';
import { removeAbandoned, temporaryFor } from './temporary-file.ts';
import { writeVerified } from './verified-file.ts';

export interface GetRequest {
  /** What PostgreSQL gave as `%f`. */
  readonly name: string;
  /** What PostgreSQL gave as `%p`: where the file must be when this resolves with `fetched`. */
  readonly destination: string;
  /**
   * How long an outage of the store is waited out before it is an error, silence included.
   * Milliseconds; with 0 there is one attempt.
   */
  readonly patienceMs: number;
  /** Segments that are known to exist: a "not found" for one of these is a loss, not the end. */
  readonly mustExist?: ((name: string) => boolean) | undefined;
  /**
   * Take only pieces that make up the whole segment: a standby that archives whatever it restores
   * would archive the beginning of a segment for the segment.
   */
  readonly wholeOnly?: boolean | undefined;
  /** Of the data directory. WAL of another cluster would end recovery like missing WAL. */
  readonly systemId?: SystemId | undefined;
}

export interface GetContext {
  readonly clock: Clock;
  readonly report: Report;
}

/**
 * `absent` is proof: the store itself denied each name under which the file could lie, and holds the
 * repository of this cluster; of a segment, it has no later one of that timeline either.
 */
export type GetOutcome = 'fetched' | 'absent';

const PAUSE_MS_FIRST = 250;
const PAUSE_MS_MAX = 5000;
/** How often an object is fetched again that came damaged. */
const DAMAGED_MAX = 2;
/** What a healthy store may take for an answer, for those who have no patience. */
const SILENCE_MS_MIN = 5000;

/**
 * Fetches one WAL file to `destination`, whole and verified, by a temporary file in the same
 * directory and a rename. Whatever is not proof of absence throws: PostgreSQL takes "not found" as
 * the end of WAL and opens the database, so a guess here loses transactions (protocol of
 * `restore_command`, PostgreSQL docs "Recovering Using a Continuous Archive Backup").
 */
export async function getWal(
  repository: Repository,
  request: GetRequest,
  { signal, clock, report }: RunOptions & GetContext,
): Promise<GetOutcome> {
  const file = parseWalFileName(request.name);
  if (file === undefined) {
    throw new TsbkError(
      'bad-wal-name',
      `${JSON.stringify(request.name)} is not the name of a WAL file`,
      { hint: 'restore_command must pass %f and %p, in this order.' },
    );
  }
  await removeAbandoned(request.destination);
  const deadline = clock.monotonicMs() + request.patienceMs;
  let damaged = 0;
  for (let pauseMs = PAUSE_MS_FIRST; ; pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX)) {
    const limitMs = Math.max(deadline - clock.monotonicMs(), SILENCE_MS_MIN);
    const store = cutSilence(repository.store, { limitMs, clock, signal });
    try {
      return await attempt({ ...repository, store }, file, request, { signal, report });
    } catch (error) {
      const waitMs = Math.min(pauseMs, deadline - clock.monotonicMs());
      // What came damaged may have been damaged on its way.
      const mayBeTheWay = isTsbkError(error, 'object-corrupt') && (damaged += 1) <= DAMAGED_MAX;
      if (!isTsbkError(error) || !(error.retry || mayBeTheWay) || waitMs <= 0) throw error;
      report({ kind: 'retry', what: request.name, attempt: 0, waitMs, error: error.message });
      await clock.sleep(waitMs, { signal });
    }
  }
}

async function attempt(
  repository: Repository,
  file: WalFileName,
  request: GetRequest,
  { signal, report }: RunOptions & Pick<GetContext, 'report'>,
): Promise<GetOutcome> {
  const opened = await openWal(repository, file.name, { signal });
  if (opened === undefined) {
    if (await getFromPieces(repository, { ...request, file }, { signal, report })) return 'fetched';
    const outcome = await provenAbsent(repository, file, request, signal);
    // Pieces that were not there may have been folded into the segment since it was looked for.
    if (file.kind === 'segment') await mustStillBeAbsent(repository, file.name, { signal });
    return outcome;
  }
  const digest = await expectedDigest(repository, file.name, opened, signal);
  const temporary = temporaryFor(request.destination);
  try {
    const { systemId } = request;
    await writeVerified({
      path: temporary,
      file,
      source: opened,
      sha256: digest,
      systemId,
      signal,
    });
    // The server that asked may be gone, and its successor may be asking for the same name.
    signal.throwIfAborted();
    await rename(temporary, request.destination);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return 'fetched';
}

/** The store denied every name of the file: the end of the archive, unless that is seen to be beyond. */
async function provenAbsent(
  repository: Repository,
  file: WalFileName,
  request: GetRequest,
  signal: AbortSignal,
): Promise<GetOutcome> {
  if (request.mustExist?.(file.name) !== true) {
    await requireRepository(repository, request.systemId, { signal });
    await requireArchiveEnd(repository, file, { signal });
    return 'absent';
  }
  throw new TsbkError(
    'wal-missing',
    `${file.name} was in ${repository.store.url} when this directory was restored, now it is gone`,
    {
      hint: 'Recovery must not end here: bring the segment back, or restore again to an earlier target.',
    },
  );
}

async function expectedDigest(
  repository: Repository,
  name: string,
  opened: OpenObject,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (carriesChecksum(opened.codec.name) || repository.cipher.name !== 'none') return undefined;
  return await readWalDigest(repository, name, opened.codec.name, { signal });
}
