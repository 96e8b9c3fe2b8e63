import { isTsbkError } from '../kernel/errors.ts';
import { segmentNumberAt } from '../kernel/wal-file.ts';
import type { ReplicationSession } from '../postgres/replication-session.ts';
import { WalStream } from '../postgres/wal-stream.ts';
import { findWal } from '../repository/wal-archive.ts';
import type { ReceiveContext } from './context.ts';
import { startAt, type ReceiveStart } from './find-start.ts';
import { nameOf, type SegmentWay } from './segment-way.ts';

/**
 * Where to go on when the server has removed WAL that was to be received: at the oldest segment that
 * it still has. What lies between is in the archive, by `archive_command`, or it is missing, and then
 * that is said: in a warning and in the status, segment by segment.
 */
export async function closeGap(
  session: ReplicationSession,
  { start, way }: { readonly start: ReceiveStart; readonly way: SegmentWay },
  context: ReceiveContext,
): Promise<ReceiveStart> {
  const { repository, status, report, signal } = context;
  const first = segmentNumberAt(start.lsn, way.segmentBytes);
  const oldest = await oldestOf(session, way, { first, context });
  const missing: string[] = [];
  for (let number = first; number < oldest; number += 1n) {
    const name = nameOf(way, number);
    if ((await findWal(repository, name, { signal })) === undefined) missing.push(name);
  }
  const range = `${nameOf(way, first)} to ${nameOf(way, oldest - 1n)}`;
  if (missing.length === 0) {
    report({ kind: 'info', text: `the server has removed ${range}; the archive has them` });
  } else {
    status.missing = [...new Set([...status.missing, ...missing])];
    const text = `the server has removed WAL that the archive does not have: ${describe(missing)}. No backup from before can be restored to a moment after that: take a new one`;
    report({ kind: 'warning', code: 'wal-hole', text });
  }
  return startAt(way, oldest);
}

/** Names that follow on each other as a range. */
function describe(names: readonly string[]): string {
  const [first = ''] = names;
  const last = names.at(-1) ?? first;
  return names.length === 1 ? first : `${names.length} segments, ${first} to ${last}`;
}

/** The oldest segment after `first` that the server has: it removes the oldest first. */
async function oldestOf(
  session: ReplicationSession,
  way: SegmentWay,
  { first, context }: { readonly first: bigint; readonly context: ReceiveContext },
): Promise<bigint> {
  let removed = first;
  // What it writes to at this moment it has.
  let there = segmentNumberAt(
    context.status.serverLsn ?? startAt(way, first).lsn,
    way.segmentBytes,
  );
  if (there <= removed) there = removed + 1n;
  while (there - removed > 1n) {
    const middle = removed + (there - removed) / 2n;
    if (await hasSegment(session, startAt(way, middle), context)) there = middle;
    else removed = middle;
  }
  return there;
}

/** Whether the server can stream from here. Leaves the session ready for the next command. */
async function hasSegment(
  session: ReplicationSession,
  start: ReceiveStart,
  { clock }: ReceiveContext,
): Promise<boolean> {
  try {
    const stream = await WalStream.begin(session, { ...start, slot: undefined }, clock);
    let event = await stream.next();
    await stream.finish();
    while (event.kind === 'wal' || event.kind === 'keepalive') event = await stream.next();
    return true;
  } catch (error) {
    if (isTsbkError(error, 'wal-removed')) return false;
    throw error;
  }
}
