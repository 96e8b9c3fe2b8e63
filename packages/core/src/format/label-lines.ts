import { TsbkError } from '../kernel/errors.ts';
import { parseLsn, type Lsn } from '../kernel/lsn.ts';
import type { TimelineId } from '../kernel/wal-file.ts';
import { asBuffer } from '../stream/collect.ts';

/** A place in the WAL and the segment it is in. */
export interface WalLocation {
  readonly lsn: Lsn;
  /** Name of the segment, 24 digits. */
  readonly segment: string;
}

/**
 * The `KEY: value` lines of `backup_label` and of backup history files. A line that must be there
 * and is not, or cannot be read, throws `record-invalid`.
 */
export interface LabelLines {
  text(key: string): string;
  optionalText(key: string): string | undefined;
  has(key: string): boolean;
  lsn(key: string): Lsn;
  /** A value like `0/2000028 (file 000000010000000000000002)`. */
  location(key: string): WalLocation;
  timeline(key: string): TimelineId;
}

const LOCATION = /^([0-9A-Fa-f]+\/[0-9A-Fa-f]+) \(file ([0-9A-F]{24})\)$/;

/** Reads the lines. Where a key is there twice the first counts, as for PostgreSQL. */
export function labelLines(content: Uint8Array, what: string): LabelLines {
  const values = new Map<string, string>();
  for (const line of asBuffer(content).toString('utf8').split('\n')) {
    const colon = line.indexOf(': ');
    const key = line.slice(0, Math.max(colon, 0));
    if (key !== '' && !values.has(key)) values.set(key, line.slice(colon + 2).replace(/\r$/, ''));
  }
  const invalid = (key: string): TsbkError =>
    new TsbkError('record-invalid', `${what} has no readable line "${key}: …"`, {
      hint: 'It is not the file that PostgreSQL wrote.',
    });
  const text = (key: string): string => {
    const value = values.get(key);
    if (value === undefined) throw invalid(key);
    return value;
  };
  return {
    text,
    optionalText: (key) => values.get(key),
    has: (key) => values.has(key),
    lsn: (key) => {
      const lsn = parseLsn(text(key));
      if (lsn === undefined) throw invalid(key);
      return lsn;
    },
    location: (key) => {
      const [, position = '', segment = ''] = LOCATION.exec(text(key)) ?? [];
      const lsn = parseLsn(position);
      if (lsn === undefined) throw invalid(key);
      return { lsn, segment };
    },
    timeline: (key) => {
      const value = text(key);
      if (!/^[1-9]\d{0,9}$/.test(value)) throw invalid(key);
      return Number(value);
    },
  };
}
