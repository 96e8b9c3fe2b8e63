import { asBuffer } from '../../stream/collect.ts';
import { tarInvalid } from './tar-invalid.ts';

/** Values by key; an empty value takes back what a global header said (POSIX pax). */
export type PaxRecords = ReadonlyMap<string, Uint8Array>;

/** The keys that change how a member is read. The others are let go, so memory stays bounded. */
const KEYS = new Set(['path', 'linkpath', 'size', 'mtime', 'uid', 'gid', 'uname', 'gname']);

const SPACE = 0x20;
const EQUALS = 0x3d;
const NEWLINE = 0x0a;

/**
 * Reads the body of a PAX extended header: records `LENGTH KEY=VALUE\n`, where the length counts
 * the whole record. Throws `tar-invalid` for anything else and for sparse files, whose bodies do
 * not hold what their size says.
 */
export function decodePax(body: Uint8Array, what: string): PaxRecords {
  const bytes = asBuffer(body);
  const records = new Map<string, Uint8Array>();
  let start = 0;
  while (start < bytes.length) {
    const end = start + recordLengthAt(bytes, start);
    const space = bytes.indexOf(SPACE, start);
    const equals = bytes.indexOf(EQUALS, start);
    if (space === -1 || equals < space + 2 || equals >= end - 1 || bytes[end - 1] !== NEWLINE) {
      throw tarInvalid(what, `malformed PAX record at byte ${start} of an extended header`);
    }
    const key = bytes.toString('utf8', space + 1, equals);
    refuseSparse(key, what);
    // A copy, because a view would keep the archive's whole chunk in memory.
    if (KEYS.has(key)) records.set(key, Uint8Array.from(bytes.subarray(equals + 1, end - 1)));
    start = end;
  }
  return records;
}

/** Writes records in the order given. */
export function encodePax(records: PaxRecords): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [key, value] of records) {
    const rest = Buffer.byteLength(key) + value.length + 3;
    parts.push(Buffer.from(`${recordLength(rest)} ${key}=`), value, Buffer.from('\n'));
  }
  return Buffer.concat(parts);
}

/** The length a record claims, 0 if it claims none. */
function recordLengthAt(bytes: Buffer, start: number): number {
  const digits = /^([1-9]\d{0,7}) /.exec(bytes.toString('latin1', start, start + 9))?.[1];
  return Number(digits ?? 0);
}

/** The length counts its own digits, which may push it over a power of ten. */
function recordLength(rest: number): number {
  let length = rest + 1;
  while (rest + String(length).length > length) length += 1;
  return length;
}

function refuseSparse(key: string, what: string): void {
  if (!key.startsWith('GNU.sparse.')) return;
  throw tarInvalid(what, 'holds a sparse file, which no PostgreSQL backup does');
}
