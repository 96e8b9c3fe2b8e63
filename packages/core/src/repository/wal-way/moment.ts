import { formatPostgresTime, type Instant } from '../../kernel/instant.ts';
import { formatLsn, type Lsn } from '../../kernel/lsn.ts';

/** A point of the WAL, and the time of the last transaction that ended there, if one is known. */
export interface Moment {
  readonly lsn: Lsn;
  readonly time: Instant | undefined;
}

/** For people: `LSN 0/3000148, 2026-11-22 10:00:00.123456+00`. */
export function describeMoment({ lsn, time }: Moment): string {
  return `LSN ${formatLsn(lsn)}${time === undefined ? '' : `, ${formatPostgresTime(time)}`}`;
}
