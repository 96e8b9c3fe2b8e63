import { TsbkError } from '../kernel/errors.ts';
import { parseJson, stringifyJson, type JsonValue } from '../format/json.ts';
import { asObject, optionalField, optionalInteger, optionalString } from '../format/json-fields.ts';
import type { ObjectRecord } from '../ports/extract.ts';
import type { ContentId, PlainId, Receipt } from '../ports/lanes.ts';
import { collect } from '../stream/collect.ts';
import { extensionOf, openObject } from './read-object.ts';
import type { Repository, RunOptions } from './repository.ts';
import { sideRecordKey } from './layout.ts';

/**
 * `tsbk.json`: what WAL-G's records lack. It proves each object of the backup, names the WAL it
 * needs, and the key it was encrypted with.
 */
export interface SideRecord {
  readonly tool: string;
  readonly run: string;
  readonly codec: string;
  readonly cipher: string;
  readonly keyId: string | undefined;
  readonly segmentBytes: number;
  readonly timeline: number;
  /** Segments that the backup needs to become consistent. */
  readonly walFirst: string;
  readonly walLast: string;
  /** Where a delta comes from; `undefined` for a full backup. */
  readonly delta: SideDelta | undefined;
  /** The backups that a full one was put together from, the newest first; `undefined` for others. */
  readonly merged?: readonly string[] | undefined;
  /** By key relative to the backup's folder. */
  readonly objects: ReadonlyMap<string, ObjectRecord>;
}

export interface SideDelta {
  readonly parent: string;
  /** Who found out what changed: `server`, `stream`, `files`, `summaries`. */
  readonly source: string;
}

const FORMAT_VERSION = 1;
const RECORD_BYTES_MAX = 64 * 1024 * 1024;

/** The side record's text. */
export function formatSideRecord(
  record: Omit<SideRecord, 'objects'>,
  folder: string,
  receipts: readonly Receipt[],
): string {
  const objects = receipts.map(({ key, plain, stored }): [string, JsonValue] => [
    key.slice(folder.length),
    { plain: { ...plain }, stored: { ...stored } },
  ]);
  return stringifyJson({
    version: FORMAT_VERSION,
    tool: record.tool,
    run: record.run,
    codec: record.codec,
    cipher: record.cipher,
    ...(record.keyId === undefined ? {} : { key_id: record.keyId }),
    wal_segment_bytes: record.segmentBytes,
    timeline: record.timeline,
    wal_first: record.walFirst,
    wal_last: record.walLast,
    ...(record.delta === undefined ? {} : { delta: { ...record.delta } }),
    ...(record.merged === undefined ? {} : { merged: record.merged }),
    objects: Object.fromEntries(objects),
  });
}

/** Reads the side record of a backup; `undefined` for backups that WAL-G made. */
export async function readSideRecord(
  repository: Repository,
  place: { readonly backup: string; readonly keys: readonly string[] },
  { signal }: RunOptions,
): Promise<SideRecord | undefined> {
  const base = sideRecordKey(place.backup);
  const key = place.keys.find(
    (candidate) => candidate === base || candidate.startsWith(`${base}.`),
  );
  if (key === undefined) return undefined;
  const opened = await openObject(repository, key, extensionOf(key, base), { signal });
  if (opened === undefined) return undefined;
  const bytes = await collect(opened.content, { maxBytes: RECORD_BYTES_MAX, what: key });
  return parseSideRecord(parseJson(bytes.toString('utf8'), { what: key }), key);
}

/** Reads the document. Throws `record-invalid`, naming `what`. */
export function parseSideRecord(value: JsonValue, what: string): SideRecord {
  const o = asObject(value, what);
  const text = (key: string): string => required(optionalString(o, key, what), key, what);
  const integer = (key: string): number => required(optionalInteger(o, key, what), key, what);
  const objects = new Map<string, ObjectRecord>();
  for (const [key, entry] of Object.entries(asObject(optionalField(o, 'objects') ?? {}, what))) {
    const fields = asObject(entry, what);
    objects.set(key, {
      plain: plainId(optionalField(fields, 'plain'), what),
      stored: contentId(optionalField(fields, 'stored'), what),
    });
  }
  return {
    tool: text('tool'),
    run: text('run'),
    codec: text('codec'),
    cipher: text('cipher'),
    keyId: optionalString(o, 'key_id', what),
    segmentBytes: integer('wal_segment_bytes'),
    timeline: integer('timeline'),
    walFirst: text('wal_first'),
    walLast: text('wal_last'),
    delta: sideDelta(optionalField(o, 'delta'), what),
    merged: names(optionalField(o, 'merged'), what),
    objects,
  };
}

function sideDelta(value: JsonValue | undefined, what: string): SideDelta | undefined {
  if (value === undefined) return undefined;
  const o = asObject(value, what);
  const text = (key: string): string => required(optionalString(o, key, what), key, what);
  return { parent: text('parent'), source: text('source') };
}

function names(value: JsonValue | undefined, what: string): string[] | undefined {
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every((name) => typeof name === 'string')) return value;
  throw new TsbkError('record-invalid', `${what}: merged is no list of names`);
}

function plainId(value: JsonValue | undefined, what: string): PlainId {
  const o = asObject(value ?? null, what);
  const sha256 = optionalString(o, 'sha256', what);
  const bytes = required(optionalInteger(o, 'bytes', what), 'bytes', what);
  return sha256 === undefined ? { bytes } : { bytes, sha256 };
}

function contentId(value: JsonValue | undefined, what: string): ContentId {
  const o = asObject(value ?? null, what);
  return {
    bytes: required(optionalInteger(o, 'bytes', what), 'bytes', what),
    sha256: required(optionalString(o, 'sha256', what), 'sha256', what),
  };
}

function required<T>(value: T | undefined, key: string, what: string): T {
  if (value === undefined) throw new TsbkError('record-invalid', `${what} has no ${key}`);
  return value;
}
