import { TsbkError } from '../kernel/errors.ts';
import { ceilToMicrosecond, type Instant } from '../kernel/instant.ts';
import { formatLsn } from '../kernel/lsn.ts';
import type { JsonValue } from '../format/json.ts';
import type { BackupServer, ServerIdentity } from '../ports/backup-server.ts';
import type { BackupSource, OpenBackup } from '../ports/backup-source.ts';
import type { Lanes } from '../ports/lanes.ts';
import type { Report } from '../ports/report.ts';
import type { ProcessMark } from '../repository/claim-record.ts';
import { fileList, type FileList } from '../repository/file-list.ts';
import { requireIdentity } from '../repository/identity.ts';
import { sentinelKey } from '../repository/layout.ts';
import type { Repository } from '../repository/repository.ts';
import { segmentsOfRange } from '../repository/wal-of-backup.ts';
import { bothOf } from '../stream/parallel.ts';
import { openSpool, type Spool } from '../stream/spool.ts';
import { cleanUp, release } from '../repository/new-backup/end-run.ts';
import type { CopiedBackup } from './copied-backup.ts';
import { copyFiles } from './copy-files.ts';
import { copyMembers } from './copy-members.ts';
import { deltaWish, type DeltaRequest } from './decide-delta.ts';
import { keepChain } from './keep-chain.ts';
import { nameDatabases } from './name-databases.ts';
import { openNamed, type NamedBackup } from './open-named.ts';
import type { Delta } from './parent.ts';
import { describeCopy, pushedDelta, type PushedDelta } from './pushed-delta.ts';
import { storeRecords } from './store-records.ts';
import { waitForWal } from './wait-for-wal.ts';
import { createRecord } from '../repository/write-object.ts';

/** What a base backup is made of and from. */
export interface PushInputs {
  readonly repository: Repository;
  readonly source: BackupSource;
  readonly server: BackupServer;
  readonly lanes: Lanes;
}

export interface PushRequest {
  /** Names this run in the claim and the side record; unique. */
  readonly runId: string;
  readonly hostname: string;
  /** Lets others find out whether this run still goes on. */
  readonly process?: ProcessMark | undefined;
  readonly toolVersion: string;
  readonly label: string;
  readonly checkpoint: 'fast' | 'spread';
  readonly verifyChecksums: boolean;
  readonly maxRateBytes?: number | undefined;
  readonly permanent: boolean;
  readonly userData?: JsonValue | undefined;
  /** A part is closed before the member that would make its payload exceed this. */
  readonly partBytesMax: number;
  /** Where the list of a very large number of files is kept meanwhile. */
  readonly scratchDirectory: string;
  /** Record how the tables of each database are called, so that single ones can be restored. */
  readonly nameTables: boolean;
  /** How long to wait for the backup's WAL in the archive, milliseconds. */
  readonly walTimeoutMs: number;
  /** When a delta is due, and how it is taken. Without it every backup is full. */
  readonly delta?: DeltaRequest | undefined;
}

export interface PushResult {
  readonly name: string;
  readonly startLsn: string;
  readonly stopLsn: string;
  readonly timeline: number;
  readonly plainBytes: number;
  readonly storedBytes: number;
  readonly files: number;
  readonly parts: number;
  readonly startTime: Instant;
  readonly finishTime: Instant;
  /** `undefined` for a full backup. */
  readonly delta: PushedDelta | undefined;
  /** Why it is full, or why the changes come from where they do: a clause for people. */
  readonly reason: string;
}

/**
 * Takes a base backup, full or a delta, and stores it in the canonical shape of a WAL-G repository. The sentinel
 * is written last, after every WAL segment the backup needs has been seen in the archive; a run
 * that fails or is aborted removes what it stored, and one that is killed leaves no sentinel.
 */
export async function pushBackup(
  inputs: PushInputs,
  request: PushRequest,
  { signal, report }: { readonly signal: AbortSignal; readonly report: Report },
): Promise<PushResult> {
  const { repository, server } = inputs;
  const startTime = ceilToMicrosecond(repository.clock.now());
  await requireIdentity(repository, server.identity.systemId, { signal });
  const wish = await deltaWish(inputs, request, { signal });
  await using named = await openNamed(inputs, { ...request, ...wish }, { signal, report });
  const progress: Progress = { sentinelTried: false };
  let result: PushResult;
  try {
    result = await run({ ...inputs, request, named, startTime, progress }, { signal, report });
  } catch (error) {
    // The server must not wait for the clean-up, nor the clean-up for a session that ends badly.
    await Promise.resolve(named[Symbol.asyncDispose]()).catch(() => undefined);
    await cleanUp(
      repository,
      { name: named.name, runId: request.runId, ...progress },
      { error, report },
    );
    throw error;
  }
  // From here on there is a backup: nothing may fail any more.
  await release(repository, named.name, report);
  return result;
}

/** How far a run got; decides what a failed one may remove. */
interface Progress {
  sentinelTried: boolean;
}

interface Run extends PushInputs {
  readonly request: PushRequest;
  readonly named: NamedBackup;
  readonly startTime: Instant;
  readonly progress: Progress;
}

async function run(
  { repository, server, lanes, request, named, startTime, progress }: Run,
  { signal, report }: { readonly signal: AbortSignal; readonly report: Report },
): Promise<PushResult> {
  const { name, backup, delta } = named;
  const { startLsn, timeline } = backup.start;
  const { identity } = server;

  await using spool = openSpool({ directory: request.scratchDirectory });
  const list = fileList(spool);
  const databases = request.nameTables
    ? await nameDatabases(server, spool, { signal, report })
    : [];
  report({ kind: 'phase', phase: 'copy', text: describeCopy(named) });
  const copied = await copy(
    { repository, lanes, backup, spool, list, name, identity, delta },
    { request, signal, report },
  );
  const { stopLsn } = copied;
  if (copied.timeline !== timeline) throw timelineChanged(name, timeline, copied.timeline);
  const segments = segmentsOfRange({
    startLsn,
    stopLsn,
    timeline,
    segmentBytes: identity.segmentBytes,
  });
  report({ kind: 'phase', phase: 'wal', text: `waiting for WAL up to ${formatLsn(stopLsn)}` });
  const archiverState = (): Promise<string | undefined> => server.archiverState();
  const made = { name, delta, segments, databases, start: backup.start, copied, list, identity };
  // The archiver takes its time, and records alone make no backup: only the sentinel does.
  const [stored] = await bothOf(
    (both) => storeRecords(repository, { ...made, startTime, request }, { signal: both }),
    (both) =>
      waitForWal(
        repository,
        { segments, timeoutMs: request.walTimeoutMs, archiverState },
        { signal: both, report },
      ),
    { signal },
  );
  report({ kind: 'phase', phase: 'records', text: 'completing the backup' });
  if (delta !== undefined) await keepChain(repository, delta.parent, { ...request, signal });
  progress.sentinelTried = true;
  await createRecord(repository, sentinelKey(name), stored.sentinel, { signal });
  return {
    name,
    startLsn: formatLsn(startLsn),
    stopLsn: formatLsn(stopLsn),
    timeline,
    plainBytes: stored.plainBytes,
    storedBytes: stored.storedBytes,
    files: list.count(),
    parts: copied.parts.length,
    startTime,
    finishTime: stored.finishTime,
    delta: delta && pushedDelta(delta),
    reason: named.reason,
  };
}

interface CopyInputs extends Pick<PushInputs, 'repository' | 'lanes'> {
  readonly backup: OpenBackup;
  readonly spool: Spool;
  readonly list: FileList;
  readonly name: string;
  readonly identity: ServerIdentity;
  readonly delta: Delta | undefined;
}

/** Stores all files of the backup and ends it, whichever way they come. */
async function copy(
  { backup, identity, delta, ...inputs }: CopyInputs,
  options: { readonly request: PushRequest; readonly signal: AbortSignal; readonly report: Report },
): Promise<CopiedBackup> {
  const { request, signal, report } = options;
  const { partBytesMax, scratchDirectory, verifyChecksums } = request;
  if (backup.kind === 'files') {
    return await copyFiles(
      { ...inputs, backup, identity, delta },
      { partBytesMax, verifyChecksums, signal, report },
    );
  }
  const { dataDirectoryMode } = identity;
  return await copyMembers(
    { ...inputs, backup, dataDirectoryMode, delta },
    { partBytesMax, scratchDirectory, signal, report },
  );
}

function timelineChanged(name: string, from: number, to: number): TsbkError {
  return new TsbkError(
    'server-promoted',
    `the server went from timeline ${from} to ${to} while ${name} was taken`,
    { hint: 'Take the backup again: it starts on the new timeline then.' },
  );
}
