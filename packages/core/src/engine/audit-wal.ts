import { isTsbkError, TsbkError } from '../kernel/errors.ts';
import type { Lsn } from '../kernel/lsn.ts';
import type { SystemId } from '../kernel/system-id.ts';
import { segmentNumberAt, type Segment, type TimelineId } from '../kernel/wal-file.ts';
import { openPgWal } from '../cluster/pg-wal.ts';
import type { Report } from '../ports/report.ts';
import { newestSentinel } from '../repository/catalog.ts';
import { readIdentity } from '../repository/identity.ts';
import type { Repository } from '../repository/repository.ts';
import type { Config } from '../settings/table.ts';
import { checkContent, type ContentReport } from '../wal-audit/check-content.ts';
import { confirmMissing } from '../wal-audit/confirm-missing.ts';
import type { Cover } from '../wal-audit/coverage.ts';
import { healGaps, type HealedSegment } from '../wal-audit/heal.ts';
import { healHistories } from '../wal-audit/heal-histories.ts';
import { checkIntegrity, type Integrity } from '../wal-audit/integrity.ts';
import type { CopySource } from '../wal-audit/prove-copies.ts';
import {
  auditRange,
  coversOfRange,
  currentSegment,
  endOfArchive,
  type AuditRange,
} from '../wal-audit/range.ts';
import { readArchive, type ArchiveState } from '../wal-audit/read-archive.ts';
import { openWalServer, type WalServer } from './open-wal-server.ts';

/** What an audit is to do. */
export interface AuditRequest {
  /** Where the server is, if that is given and it is not to be asked. */
  readonly at: { readonly timeline: TimelineId; readonly lsn: Lsn } | undefined;
  readonly backupName: string | undefined;
  readonly content: boolean;
  readonly heal: 'no' | 'plan' | 'yes';
  /** A `pg_wal` or data directory to heal from. */
  readonly healFrom: string | undefined;
}

export interface AuditContext {
  readonly repository: Repository;
  readonly config: Config;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface Audit {
  /** After the healing. */
  readonly state: ArchiveState;
  readonly range: AuditRange;
  readonly integrity: Integrity;
  readonly content: ContentReport | undefined;
  readonly healed: readonly HealedSegment[] | undefined;
}

/** Looks at the archive as it stands against the server, fills its gaps if asked to, and looks again. */
export async function auditWal(request: AuditRequest, context: AuditContext): Promise<Audit> {
  // The server first: what it writes meanwhile is not missed then.
  await using server = await reachServer(request, context);
  const { repository, signal, report } = context;
  const systemId = await systemIdOf(server, context);
  let looked = await look(request, { server, context });
  let healed: HealedSegment[] | undefined;
  if (request.heal !== 'no') {
    const sources = await sourcesOf(request, { server, context });
    const isPlan = request.heal === 'plan';
    if (!isPlan && (await fillHistories(looked, sources, context))) {
      looked = await look(request, { server, context });
    }
    const { segmentBytes } = looked.state;
    healed = await healGaps(
      repository,
      { covers: looked.covers, segmentBytes, systemId, sources, isPlan },
      { signal, report },
    );
    if (healed.some(({ outcome }) => outcome === 'stored' || outcome === 'already-there')) {
      looked = await look(request, { server, context });
    }
  }
  const { state, range, covers } = looked;
  const content = request.content
    ? await checkContent(
        repository,
        { covers, segmentBytes: state.segmentBytes, systemId },
        { signal, report },
      )
    : undefined;
  return { state, range, integrity: integrityOf(looked, context), content, healed };
}

interface Looked {
  readonly state: ArchiveState;
  readonly range: AuditRange;
  readonly covers: readonly Cover[];
}

interface Around {
  readonly server: WalServer | undefined;
  readonly context: AuditContext;
}

async function look(request: AuditRequest, { server, context }: Around): Promise<Looked> {
  const { repository, config, signal } = context;
  const listed = await readArchive(
    repository,
    { segmentBytes: server?.segmentBytes, assumedSegmentBytes: config.walSegmentBytes },
    { signal },
  );
  const current = currentOf(request, { listed, server, context });
  const range = auditRange(listed, { current, backupName: request.backupName });
  const state = await confirmMissing(repository, listed, coversOfRange(listed, range), { signal });
  return {
    state,
    range,
    covers: coversOfRange(state, finishedOf(range, { at: request.at ?? server, state })),
  };
}

/**
 * The same range, with the current segment if the server is exactly at its end: WAL-G does not look
 * for that one yet, but it is whole.
 */
function finishedOf(
  range: AuditRange,
  { at, state }: { readonly at: AuditRequest['at']; readonly state: ArchiveState },
): AuditRange {
  if (at === undefined) return range;
  const number = segmentNumberAt(at.lsn, state.segmentBytes);
  return { ...range, current: { ...range.current, number } };
}

function integrityOf({ state, range }: Looked, { config }: AuditContext): Integrity {
  return checkIntegrity({
    listing: state.listing,
    segmentBytes: state.segmentBytes,
    ...range,
    delayed: config.integrityMaxDelayedWals,
    uploading: config.uploadConcurrency,
  });
}

function currentOf(
  request: AuditRequest,
  { listed, server, context }: Around & { readonly listed: ArchiveState },
): Segment {
  const at = request.at ?? server;
  if (at !== undefined) return currentSegment(at.timeline, at.lsn, listed.segmentBytes);
  const end = endOfArchive(listed);
  if (end !== undefined) return end;
  throw new TsbkError('wal-missing', `${context.repository.store.url} holds no WAL to look at`, {
    hint: 'Check the prefix, and whether archive_command works: tsbk check.',
  });
}

/** The server, if it is needed or can be had. That it cannot is said, and the archive's own end taken. */
async function reachServer(
  request: AuditRequest,
  { environment, signal, report }: AuditContext,
): Promise<WalServer | undefined> {
  if (request.at !== undefined && (request.heal === 'no' || request.healFrom !== undefined)) {
    return undefined;
  }
  try {
    return await openWalServer({ environment, signal });
  } catch (error) {
    if (!isTsbkError(error) || request.at !== undefined) throw error;
    report({
      kind: 'warning',
      code: 'no-server',
      text: `the server cannot be asked where it is, so the end of the archive is taken: what was never archived behind it is not missed (${error.message})`,
    });
    return undefined;
  }
}

async function systemIdOf(
  server: WalServer | undefined,
  { repository, signal }: AuditContext,
): Promise<SystemId | undefined> {
  const known =
    (await readIdentity(repository, { signal })) ??
    (await newestSentinel(repository, { signal }))?.systemId;
  if (known !== undefined && server?.systemId !== undefined && known !== server.systemId) {
    throw new TsbkError(
      'wrong-system-id',
      `${repository.store.url} belongs to the cluster with system identifier ${known}, the server is of ${server.systemId}`,
      { hint: 'Name the server of this repository in PGHOST, or give --timeline and --lsn.' },
    );
  }
  return known ?? server?.systemId;
}

/** Where to look for missing WAL: a directory that is named, that of PGDATA, the server itself. */
async function sourcesOf(
  { healFrom }: AuditRequest,
  { server, context }: Around,
): Promise<CopySource[]> {
  const sources: CopySource[] = [];
  const path = healFrom ?? context.environment['PGDATA'];
  // What a server of another place has flushed says nothing of a directory that was named.
  const flushLsn = healFrom === undefined ? server?.flushLsn : undefined;
  try {
    if (path !== undefined) sources.push({ copies: await openPgWal(path), flushLsn });
  } catch (error) {
    // PGDATA may be the directory on the server's host, which is another one.
    if (healFrom !== undefined || server === undefined || !isTsbkError(error)) throw error;
    context.report({ kind: 'info', text: error.message });
  }
  if (server !== undefined) sources.push({ copies: server.copies, flushLsn: server.flushLsn });
  if (sources.length > 0) return sources;
  throw new TsbkError('setting-missing', '--heal has nowhere to take WAL from', {
    hint: 'Give --from DIR, set PGDATA, or PGHOST of a server of this cluster.',
  });
}

async function fillHistories(
  { state, range }: Looked,
  sources: readonly CopySource[],
  { repository, signal, report }: AuditContext,
): Promise<boolean> {
  const ancestors = range.history?.ancestors.map(({ timeline }) => timeline) ?? [];
  const timelines = [...ancestors, range.current.timeline].filter(
    (timeline) => timeline > 1 && !state.listing.histories.has(timeline),
  );
  const stored = await healHistories(repository, { timelines, sources }, { signal });
  for (const name of stored) report({ kind: 'info', text: `${name} was missing and is archived` });
  return stored.length > 0;
}
