import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemErrorCode } from '../kernel/errors.ts';
import { parseSegment } from '../kernel/wal-file.ts';
import { parseJson, stringifyJson } from '../format/json.ts';
import { asObject, integerField, optionalField, stringField } from '../format/json-fields.ts';
import { writeDurably } from './write-durably.ts';

/** Segments that were in the archive, without a gap, when a directory was restored. */
export interface WalMarkRange {
  /** Names of the first and the last segment; of one timeline. */
  readonly first: string;
  readonly last: string;
}

export interface WalMark {
  readonly segmentBytes: number;
  /** Names of the history files that recovery was planned by. */
  readonly histories: readonly string[];
  readonly ranges: readonly WalMarkRange[];
}

/**
 * Lies in `pg_wal`, which neither base backups nor manifests look into. It decides nothing but
 * whether "not there" is believed, so a server that could write it gains nothing by it.
 */
const MARK_FILE = join('pg_wal', 'tsbk_restore.json');

/** Leaves the mark in a restored data directory. */
export async function writeWalMark(dataDir: string, mark: WalMark): Promise<void> {
  const text = stringifyJson({
    version: 1,
    segment_bytes: mark.segmentBytes,
    histories: mark.histories,
    ranges: mark.ranges.map(({ first, last }) => ({ first, last })),
  });
  await writeDurably(join(dataDir, MARK_FILE), Buffer.from(text), 0o600);
}

/**
 * Whether a file was in the archive when the directory was restored: then an archive that does
 * not have it now has lost it, and recovery must not end there. `undefined` without a mark.
 */
export async function readWalMark(
  dataDir: string,
): Promise<((name: string) => boolean) | undefined> {
  let text: string;
  try {
    text = await readFile(join(dataDir, MARK_FILE), 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  return mustExist(parseWalMark(text));
}

/** Reads the mark. Throws `record-invalid`. */
export function parseWalMark(text: string): WalMark {
  const o = asObject(parseJson(text, { what: MARK_FILE }), MARK_FILE);
  const ranges = optionalField(o, 'ranges');
  const histories = optionalField(o, 'histories');
  return {
    histories: (Array.isArray(histories) ? histories : []).map(String),
    segmentBytes: integerField(o, 'segment_bytes', MARK_FILE),
    ranges: (Array.isArray(ranges) ? ranges : []).map((range) => {
      const fields = asObject(range, MARK_FILE);
      return {
        first: stringField(fields, 'first', MARK_FILE),
        last: stringField(fields, 'last', MARK_FILE),
      };
    }),
  };
}

/** The question that `archive-get` asks of a mark. */
export function mustExist({ segmentBytes, histories, ranges }: WalMark): (name: string) => boolean {
  const known = ranges.flatMap(({ first, last }) => {
    const from = parseSegment(first, segmentBytes);
    const to = parseSegment(last, segmentBytes);
    return from === undefined || to === undefined ? [] : [{ from, to }];
  });
  return (name) => {
    const segment = parseSegment(name, segmentBytes);
    if (segment === undefined) return histories.includes(name);
    return known.some(
      ({ from, to }) =>
        segment.timeline === from.timeline &&
        segment.number >= from.number &&
        segment.number <= to.number,
    );
  };
}
