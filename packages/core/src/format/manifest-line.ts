import { isUtf8 } from 'node:buffer';
import type { ChecksumAlgorithm } from '../kernel/checksum-algorithm.ts';
import { instantFromMs, instantToMs, type Instant } from '../kernel/instant.ts';
import type { ManifestFile } from './manifest.ts';

/** Hexadecimal digits of each algorithm's checksums. */
const DIGITS: Readonly<Record<ChecksumAlgorithm, number>> = {
  NONE: 0,
  CRC32C: 8,
  SHA224: 56,
  SHA256: 64,
  SHA384: 96,
  SHA512: 128,
};

const TIME = /^(\d{4,6})-(\d{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const HEX = /^(?:[0-9A-Fa-f]{2})+$/;

/** Reads a file's line of a manifest, with or without the comma after it. `undefined` if it is none. */
export function manifestFileOf(line: string): ManifestFile | undefined {
  const entry = objectIn(line.endsWith(',') ? line.slice(0, -1) : line);
  const path = pathOf(entry);
  const sum = checksumOf(entry);
  const modified = timeOf(entry['Last-Modified']);
  const bytes = entry['Size'];
  if (path === undefined || sum === undefined || modified === undefined) return undefined;
  if (typeof bytes !== 'number' || !Number.isSafeInteger(bytes) || bytes < 0) return undefined;
  return { ...path, bytes, modified, ...sum };
}

/** A file's line as PostgreSQL writes it, without the comma. */
export function manifestLineOf(file: ManifestFile): string {
  const path =
    file.rawPath === undefined
      ? `"Path": ${JSON.stringify(file.path)}`
      : `"Encoded-Path": "${Buffer.from(file.rawPath).toString('hex')}"`;
  const iso = new Date(instantToMs(file.modified)).toISOString();
  const time = iso.slice(0, iso.indexOf('.')).replace('T', ' ').replace('+', '');
  const sum =
    file.checksumAlgorithm === 'NONE'
      ? ''
      : `, "Checksum-Algorithm": "${file.checksumAlgorithm}", "Checksum": "${file.checksum}"`;
  return `{ ${path}, "Size": ${file.bytes}, "Last-Modified": "${time} GMT"${sum} }`;
}

function objectIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function pathOf(
  entry: Readonly<Record<string, unknown>>,
): Pick<ManifestFile, 'path' | 'rawPath'> | undefined {
  const { Path: path, 'Encoded-Path': encoded } = entry;
  if (typeof path === 'string' && path !== '' && encoded === undefined) return { path };
  if (typeof encoded !== 'string' || path !== undefined || !HEX.test(encoded)) return undefined;
  const bytes = Buffer.from(encoded, 'hex');
  // A server asked to "force-encode" encodes every path.
  return isUtf8(bytes) ? { path: bytes.toString() } : { path: bytes.toString(), rawPath: bytes };
}

function checksumOf(
  entry: Readonly<Record<string, unknown>>,
): Pick<ManifestFile, 'checksumAlgorithm' | 'checksum'> | undefined {
  const { 'Checksum-Algorithm': algorithm = 'NONE', Checksum: checksum = '' } = entry;
  if (typeof algorithm !== 'string' || typeof checksum !== 'string') return undefined;
  if (!isAlgorithm(algorithm) || checksum.length !== DIGITS[algorithm]) return undefined;
  if (checksum !== '' && !HEX.test(checksum)) return undefined;
  return { checksumAlgorithm: algorithm, checksum: checksum.toLowerCase() };
}

function isAlgorithm(name: string): name is ChecksumAlgorithm {
  return Object.hasOwn(DIGITS, name);
}

function timeOf(text: unknown): Instant | undefined {
  const match = typeof text === 'string' ? TIME.exec(text) : null;
  if (match === null) return undefined;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = match
    .slice(1)
    .map(Number);
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  return Number.isNaN(ms) ? undefined : instantFromMs(ms);
}
