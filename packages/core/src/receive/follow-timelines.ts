import { parseHistoryFile, type TimelineHistory } from '../format/history-file.ts';
import { isTsbkError } from '../kernel/errors.ts';
import type { TimelineId } from '../kernel/wal-file.ts';
import type { ReplicationSession } from '../postgres/replication-session.ts';
import { timelineHistory } from '../postgres/timeline-history.ts';
import { storeWal } from '../repository/wal-archive.ts';
import { sourceOf } from '../stream/source.ts';
import type { ReceiveContext } from './context.ts';
import type { WalIntake } from './intake.ts';
import { keepTrying } from './keep-trying.ts';

/**
 * The history of a timeline, as the server has it, archived first: whoever finds WAL of a timeline in
 * the archive must find where it comes from. Those of its ancestors too, where the server still has
 * them. Throws `wal-conflict` when the archive has another history under this number.
 */
export async function archiveHistory(
  session: ReplicationSession,
  timeline: TimelineId,
  context: ReceiveContext,
): Promise<TimelineHistory | undefined> {
  const file = await timelineHistory(session, timeline);
  if (file === undefined) return undefined;
  const history = parseHistoryFile(file.content.toString('utf8'), file.fileName);
  for (const { timeline: ancestor } of history.ancestors) {
    if (ancestor > 1) await archiveIfThere(session, ancestor, context);
  }
  await storeFile(context, file.fileName, file.content);
  return history;
}

async function archiveIfThere(
  session: ReplicationSession,
  timeline: TimelineId,
  context: ReceiveContext,
): Promise<void> {
  try {
    const file = await timelineHistory(session, timeline);
    if (file !== undefined) await storeFile(context, file.fileName, file.content);
  } catch (error) {
    // A standby that was made later never had it.
    if (!isTsbkError(error, 'server-error')) throw error;
  }
}

async function storeFile(context: ReceiveContext, name: string, content: Buffer): Promise<void> {
  const { repository, signal } = context;
  await keepTrying(`store ${name}`, context, () =>
    storeWal(repository, { name, source: () => sourceOf(Buffer.from(content)) }, { signal }),
  );
}

/**
 * Ends a timeline: what is here of its last segment is made durable, and archived as `.partial`,
 * filled up with zeros, unless the server does that itself. Two programs that archive one `.partial`
 * would contradict each other: that of a server goes on with whatever stood in the file before, and
 * its archiver would be stuck for good.
 */
export async function endTimeline(
  session: ReplicationSession,
  intake: WalIntake,
  context: ReceiveContext,
): Promise<void> {
  const { signal, repository, report } = context;
  await intake.drained({ signal });
  const open = intake.open;
  if (open === undefined || open.bytes.filled === 0) return;
  if ((await session.show('archive_mode')) !== 'off') return;
  const { name, bytes, segmentBytes } = open;
  const partial = `${name}.partial`;
  const source = () => bytes.read(0, segmentBytes);
  try {
    await keepTrying(`store ${partial}`, context, () =>
      storeWal(repository, { name: partial, source }, { signal }),
    );
  } catch (error) {
    if (!isTsbkError(error, 'wal-conflict')) throw error;
    // Its pieces stay, and they are what counts.
    report({ kind: 'info', text: `${partial} is archived already, in another form` });
  }
}
