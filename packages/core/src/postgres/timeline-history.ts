import type { TimelineId } from '../kernel/wal-file.ts';
import { unexpected, type ReplicationSession } from './replication-session.ts';

export interface TimelineHistory {
  /** `00000002.history` */
  readonly fileName: string;
  /** The file, byte for byte. */
  readonly content: Buffer;
}

/** `TIMELINE_HISTORY`; `undefined` for timeline 1, which has none. */
export async function timelineHistory(
  session: ReplicationSession,
  timeline: TimelineId,
): Promise<TimelineHistory | undefined> {
  if (timeline === 1) return undefined;
  const command = `TIMELINE_HISTORY ${timeline}`;
  const [row] = await session.query(command);
  const [fileName, content] = row ?? [];
  if (fileName === undefined || content === undefined) throw unexpected(command, 'no file');
  return { fileName: fileName.toString(), content };
}
