import { TsbkError } from '../kernel/errors.ts';
import type { ReplicationSession } from './replication-session.ts';

const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1024,
  MB: 1024 ** 2,
  GB: 1024 ** 3,
  TB: 1024 ** 4,
};

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A setting that is a size, in bytes; `SHOW` prints it with PostgreSQL's units: `16MB`, `1GB`. */
export function showSize(session: ReplicationSession, name: string): Promise<number> {
  return show(session, name, SIZE_UNITS);
}

/** A setting that is a time, in milliseconds: `1min`, `500ms`, `0`. */
export function showDuration(session: ReplicationSession, name: string): Promise<number> {
  return show(session, name, DURATION_UNITS);
}

async function show(
  session: ReplicationSession,
  name: string,
  units: Readonly<Record<string, number>>,
): Promise<number> {
  const text = await session.show(name);
  const [, number = '', unit = ''] = /^(-?\d+) ?([A-Za-z]*)$/.exec(text) ?? [];
  const factor = Number(number) === 0 || number.startsWith('-') ? 1 : units[unit];
  if (number !== '' && factor !== undefined) return Number(number) * factor;
  throw new TsbkError('protocol-violation', `the server says that ${name} is ${text}`);
}
