import { stringifyJson } from '../format/json.ts';
import { formatInstant, type Instant } from '../kernel/instant.ts';
import { formatLsn, type Lsn } from '../kernel/lsn.ts';
import type { TimelineId } from '../kernel/wal-file.ts';

/** What a receiver says of itself, in memory and in `receive.json`. */
export interface ReceiveStatus {
  /** Of the server, for people. */
  host: string | undefined;
  slot: string | undefined;
  timeline: TimelineId | undefined;
  writeLsn: Lsn | undefined;
  flushLsn: Lsn | undefined;
  /** Up to where the server has WAL, as last heard. */
  serverLsn: Lsn | undefined;
  lastError: string | undefined;
  /** Segments that the server had removed before they were received, and the archive lacks. */
  missing: readonly string[];
}

/** A receiver that has heard nothing yet. */
export function emptyStatus(slot: string | undefined): ReceiveStatus {
  return {
    host: undefined,
    slot,
    timeline: undefined,
    writeLsn: undefined,
    flushLsn: undefined,
    serverLsn: undefined,
    lastError: undefined,
    missing: [],
  };
}

/** Bytes that the server has and that are not durable elsewhere. */
export function lagBytes({ serverLsn, flushLsn }: ReceiveStatus): bigint | undefined {
  if (serverLsn === undefined || flushLsn === undefined) return undefined;
  return serverLsn > flushLsn ? serverLsn - flushLsn : 0n;
}

/** As `receive.json` holds it; LSNs and byte counts are texts. */
export function formatStatus(status: ReceiveStatus, now: Instant): string {
  const lsn = (value: Lsn | undefined): string | null =>
    value === undefined ? null : formatLsn(value);
  return `${stringifyJson({
    updated: formatInstant(now),
    host: status.host ?? null,
    slot: status.slot ?? null,
    timeline: status.timeline ?? null,
    writeLsn: lsn(status.writeLsn),
    flushLsn: lsn(status.flushLsn),
    serverLsn: lsn(status.serverLsn),
    lagBytes: lagBytes(status)?.toString() ?? null,
    lastError: status.lastError ?? null,
    missing: [...status.missing],
  })}\n`;
}
