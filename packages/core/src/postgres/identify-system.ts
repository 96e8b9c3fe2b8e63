import { parseLsn, type Lsn } from '../kernel/lsn.ts';
import { toSystemId, type SystemId } from '../kernel/system-id.ts';
import type { TimelineId } from '../kernel/wal-file.ts';
import { unexpected, type ReplicationSession } from './replication-session.ts';

export interface SystemIdentity {
  readonly systemId: SystemId;
  /** On a standby, what it replays or receives. */
  readonly timeline: TimelineId;
  readonly lsn: Lsn;
}

/** `IDENTIFY_SYSTEM`: which cluster this is and where its WAL stands. */
export async function identifySystem(session: ReplicationSession): Promise<SystemIdentity> {
  const command = 'IDENTIFY_SYSTEM';
  const [row] = await session.query(command);
  const [id, timelineText, lsnText] = (row ?? []).map((value) => value?.toString() ?? '');
  const timeline = Number(timelineText);
  const lsn = parseLsn(lsnText ?? '');
  if (!/^\d{1,20}$/.test(id ?? '') || !(timeline > 0) || lsn === undefined) {
    throw unexpected(command, 'something that identifies no system');
  }
  return { systemId: toSystemId(id ?? ''), timeline, lsn };
}
