import { randomBytes } from 'node:crypto';
import { isTsbkError, TsbkError } from '../kernel/errors.ts';
import { toLsn } from '../kernel/lsn.ts';
import type { SystemId } from '../kernel/system-id.ts';
import { segmentNumberAt } from '../kernel/wal-file.ts';
import { describeHost } from '../postgres/connection-settings.ts';
import { identifySystem } from '../postgres/identify-system.ts';
import {
  openReplicationSession,
  type ReplicationSession,
} from '../postgres/replication-session.ts';
import { showDuration, showSize } from '../postgres/show-units.ts';
import { WalStream } from '../postgres/wal-stream.ts';
import { requireIdentity } from '../repository/identity.ts';
import { closeGap } from './close-gap.ts';
import type { ReceiveContext } from './context.ts';
import { findStart, startAt, type ReceiveStart } from './find-start.ts';
import { archiveHistory, endTimeline } from './follow-timelines.ts';
import { WalIntake } from './intake.ts';
import { keepTrying } from './keep-trying.ts';
import { guardLag } from './lag-guard.ts';
import type { SegmentWay } from './segment-way.ts';
import { giveUpSlot, openSlot, renewSlot, warnOfUnboundedSlot } from './slot.ts';
import { streamTimeline, type StreamEnd } from './stream-timeline.ts';
import { tidyPieces } from './tidy-pieces.ts';
import { watchMissing } from './watch-missing.ts';

export interface SessionHooks {
  /** Nothing was ever received: what is worth saying once is said. */
  readonly isFirst: boolean;
  /** Called whenever the server is heard. */
  readonly onStreaming: () => void;
}

/** What is known of the server for as long as one connection lasts. */
interface Connected {
  readonly session: ReplicationSession;
  readonly systemId: SystemId;
  /** Of `wal_sender_timeout` a part: see `StreamOptions`. */
  readonly replyMs: number;
  readonly onStreaming: () => void;
}

/**
 * Receives over one connection, from the first segment that the archive lacks, through all changes
 * of timeline, until the server ends it or `stop` is heard. When this settles everything that was
 * received is durable, unless the context's signal has aborted. Throws whatever ended it otherwise.
 */
export async function runSession(context: ReceiveContext, hooks: SessionHooks): Promise<void> {
  const { request, repository, status, signal } = context;
  await using session = await openReplicationSession(request.connection, { signal });
  const { systemId, timeline, lsn } = await identifySystem(session);
  status.host = describeHost(session.host);
  status.serverLsn = lsn;
  const look = (): Promise<void> => requireIdentity(repository, systemId, { signal });
  // Who has just started it is still there to hear that the bucket is not.
  await (hooks.isFirst ? look() : keepTrying('look at the repository', context, look));
  const segmentBytes = await showSize(session, 'wal_segment_size');
  const { onStreaming } = hooks;
  const connected = { session, systemId, replyMs: await replyMsOf(session), onStreaming };
  const history = await archiveHistory(session, timeline, context);
  await tidyPieces(context);
  let way: SegmentWay = { timeline, history, segmentBytes };
  let start = await firstStart(session, way, context);
  if (hooks.isFirst && status.slot !== undefined) {
    await warnOfUnboundedSlot(session, status.slot, context);
  }
  for (;;) {
    status.timeline = start.timeline;
    const end = await receiveFrom(connected, { start, way }, context);
    if (end.kind === 'ended') return;
    if (end.kind === 'again') {
      start = end.start;
      continue;
    }
    const next = await archiveHistory(session, end.next.timeline, context);
    way = { timeline: end.next.timeline, history: next, segmentBytes };
    start = startAt(way, segmentNumberAt(end.next.lsn, segmentBytes));
  }
}

async function firstStart(
  session: ReplicationSession,
  way: SegmentWay,
  context: ReceiveContext,
): Promise<ReceiveStart> {
  const { repository, status, signal } = context;
  const { slot } = status;
  const slotLsn = slot === undefined ? undefined : await openSlot(session, slot, context);
  const serverLsn = status.serverLsn ?? toLsn(0n);
  return await keepTrying('look for the end of the archive', context, () =>
    findStart(repository, { way, slotLsn, serverLsn }, { signal }),
  );
}

type ReceiveEnd = StreamEnd | { readonly kind: 'again'; readonly start: ReceiveStart };

/** Streams one timeline to its end. What keeps a server from giving WAL is dealt with here. */
async function receiveFrom(
  connected: Connected,
  { start, way }: { readonly start: ReceiveStart; readonly way: SegmentWay },
  context: ReceiveContext,
): Promise<ReceiveEnd> {
  const { session } = connected;
  const { status } = context;
  try {
    return await stream(connected, { start, way }, context);
  } catch (error) {
    if (isTsbkError(error, 'wal-removed')) {
      return { kind: 'again', start: await closeGap(session, { start, way }, context) };
    }
    const mayRenew = status.slot !== undefined && context.request.createSlot;
    if (!isTsbkError(error, 'slot-lost') || !mayRenew || status.slot === undefined) throw error;
    await renewSlot(session, status.slot, context);
    return { kind: 'again', start };
  }
}

async function stream(
  { session, systemId, replyMs, onStreaming }: Connected,
  { start, way }: { readonly start: ReceiveStart; readonly way: SegmentWay },
  context: ReceiveContext,
): Promise<StreamEnd> {
  const { clock, status, stop, signal } = context;
  const { slot } = status;
  const source = await WalStream.begin(session, { ...start, slot }, clock);
  let heardMs = clock.monotonicMs();
  const reply = (): void => {
    noteProgress(context, intake);
    // A connection that is gone is noticed by whoever reads from it.
    source.reply(intake.position).catch(() => undefined);
  };
  await using intake = new WalIntake({
    ...context,
    ...context.request,
    timeline: start.timeline,
    start: start.lsn,
    segmentBytes: way.segmentBytes,
    systemId,
    run: randomBytes(8).toString('hex'),
    onDurable: reply,
  });
  // Where nothing new comes, what the archive has already is all there is.
  noteProgress(context, intake);
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const guard = guardLag(context, {
    lastHeardMs: () => heardMs,
    giveUpSlot: (text) => over.abort(new TsbkError('receive-lag', text)),
    signal: either,
  }).catch(() => undefined);
  const lookout = watchMissing(context, { signal: either }).catch(() => undefined);
  try {
    const end = await streamTimeline(source, intake, {
      clock,
      replyMs,
      stop,
      signal: either,
      onServerEnd: (lsn) => {
        heardMs = clock.monotonicMs();
        status.serverLsn = lsn;
        onStreaming();
      },
    });
    if (end.kind === 'timeline-end') await endTimeline(session, intake, context);
    return end;
  } catch (error) {
    if (isTsbkError(error, 'receive-lag')) {
      // At once: what was received is stored when the store is back, the server cannot wait for that.
      await session.close();
      await giveUpSlot(context, error.message);
    }
    throw error;
  } finally {
    over.abort();
    await Promise.all([guard, lookout]);
    // A server that is gone does not take back what it sent: it may be the only copy.
    if (!intake.failed.aborted) await intake.drained({ signal });
    noteProgress(context, intake);
  }
}

function noteProgress({ status }: ReceiveContext, intake: WalIntake): void {
  status.writeLsn = intake.position.write;
  status.flushLsn = intake.position.flush;
}

/** The longest that a server hears nothing from us. */
const REPLY_MS_MAX = 10_000;
const REPLY_MS_MIN = 100;

/** A third of what the server would wait for. */
async function replyMsOf(session: ReplicationSession): Promise<number> {
  const timeoutMs = await showDuration(session, 'wal_sender_timeout');
  if (timeoutMs <= 0) return REPLY_MS_MAX;
  return Math.max(REPLY_MS_MIN, Math.min(REPLY_MS_MAX, timeoutMs / 3));
}
