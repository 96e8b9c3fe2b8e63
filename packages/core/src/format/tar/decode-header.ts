import { isUtf8 } from 'node:buffer';
import { toInstant, type Instant } from '../../kernel/instant.ts';
import { asBuffer } from '../../stream/collect.ts';
import { HEADER_FIELDS, type HeaderField, type TarHeader } from './header.ts';
import { decodeNumber } from './number-field.ts';
import type { PaxRecords } from './pax.ts';
import { tarInvalid } from './tar-invalid.ts';

const SLASH = 0x2f;
const NS_PER_SECOND = 1_000_000_000n;
const KINDS: Readonly<Record<string, TarHeader['kind']>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '2': 'symlink',
  '5': 'directory',
};
/** Hard and symbolic. */
const LINKS = '12';
/** Types whose size field means nothing: both kinds of link, devices, directories, pipes. */
const BODYLESS = '123456';

/** The type byte of a header block. */
export function typeflagOf(block: Uint8Array): string {
  return String.fromCharCode(block[HEADER_FIELDS.typeflag.offset] ?? 0);
}

/** The size field alone, for extended headers. `undefined` if it is not a size. */
export function sizeOf(block: Uint8Array): number | undefined {
  const bytes = decodeNumber(block, HEADER_FIELDS.size);
  return bytes !== undefined && bytes >= 0 ? bytes : undefined;
}

/**
 * Reads a header block of v7, ustar, PAX or GNU format. `extended` holds what extended headers
 * before it said, which wins over the block. Throws `tar-invalid`.
 */
export function decodeHeader(block: Uint8Array, extended: PaxRecords, what: string): TarHeader {
  const typeflag = typeflagOf(block);
  const name = recordOf(extended, 'path') ?? nameBytes(block);
  const of = `${what}, member ${JSON.stringify(textOf(name))}`;
  const isV7Directory = typeflag === '\0' && name.at(-1) === SLASH;
  const bytes = numberOf(block, extended, { key: 'size', field: HEADER_FIELDS.size, of });
  return {
    kind: isV7Directory ? 'directory' : (KINDS[typeflag] ?? 'other'),
    typeflag,
    name: textOf(name),
    ...(isUtf8(name) ? {} : { rawName: Uint8Array.from(name) }),
    bytes: isV7Directory || BODYLESS.includes(typeflag) ? 0 : bytes,
    mode: modeOf(block, of),
    uid: numberOf(block, extended, { key: 'uid', field: HEADER_FIELDS.uid, of }),
    gid: numberOf(block, extended, { key: 'gid', field: HEADER_FIELDS.gid, of }),
    modified: modifiedOf(block, extended, of),
    ...linkOf(block, extended),
    ...ownersOf(block, extended),
  };
}

interface NumberSource {
  readonly key: string;
  readonly field: HeaderField;
  readonly of: string;
}

function numberOf(block: Uint8Array, extended: PaxRecords, source: NumberSource): number {
  const record = recordOf(extended, source.key);
  const value =
    record === undefined ? decodeNumber(block, source.field) : decodeDecimal(textOf(record));
  if (value === undefined || value < 0) throw tarInvalid(source.of, `unreadable ${source.key}`);
  return value;
}

function decodeDecimal(text: string): number | undefined {
  const value = /^\d{1,19}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

function modeOf(block: Uint8Array, of: string): number {
  const mode = decodeNumber(block, HEADER_FIELDS.mode);
  if (mode === undefined || mode < 0) throw tarInvalid(of, 'unreadable mode');
  // Old tars put the file type above the permission bits.
  return mode % 0o10000;
}

function modifiedOf(block: Uint8Array, extended: PaxRecords, of: string): Instant {
  const record = recordOf(extended, 'mtime');
  if (record === undefined) {
    const seconds = decodeNumber(block, HEADER_FIELDS.modified);
    if (seconds === undefined) throw tarInvalid(of, 'unreadable mtime');
    return toInstant(BigInt(seconds) * NS_PER_SECOND);
  }
  const match = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(textOf(record));
  if (match === null) throw tarInvalid(of, 'unreadable mtime');
  const [, sign, seconds = '0', fraction = ''] = match;
  const ns = BigInt(seconds) * NS_PER_SECOND + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
  return toInstant(sign === '-' ? -ns : ns);
}

function recordOf(extended: PaxRecords, key: string): Uint8Array | undefined {
  const value = extended.get(key);
  return value === undefined || value.length === 0 ? undefined : value;
}

function magicOf(block: Uint8Array): string {
  const { offset, bytes } = HEADER_FIELDS.magic;
  return asBuffer(block).toString('latin1', offset, offset + bytes);
}

function nameBytes(block: Uint8Array): Uint8Array {
  const name = textBytes(block, HEADER_FIELDS.name);
  if (!magicOf(block).startsWith('ustar\0')) return name;
  const prefix = textBytes(block, HEADER_FIELDS.prefix);
  return prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name]);
}

function linkOf(
  block: Uint8Array,
  extended: PaxRecords,
): Pick<TarHeader, 'linkName' | 'rawLinkName'> {
  // GNU tar leaves the field of an earlier link in the headers of files.
  if (!LINKS.includes(typeflagOf(block))) return {};
  const link = recordOf(extended, 'linkpath') ?? textBytes(block, HEADER_FIELDS.linkName);
  if (link.length === 0) return {};
  const linkName = textOf(link);
  return isUtf8(link) ? { linkName } : { linkName, rawLinkName: Uint8Array.from(link) };
}

function ownersOf(block: Uint8Array, extended: PaxRecords): Pick<TarHeader, 'uname' | 'gname'> {
  const uname = ownerOf(block, extended, 'uname');
  const gname = ownerOf(block, extended, 'gname');
  return { ...(uname === '' ? {} : { uname }), ...(gname === '' ? {} : { gname }) };
}

function ownerOf(block: Uint8Array, extended: PaxRecords, key: 'uname' | 'gname'): string {
  const record = recordOf(extended, key);
  if (record !== undefined) return textOf(record);
  return magicOf(block).startsWith('ustar') ? textOf(textBytes(block, HEADER_FIELDS[key])) : '';
}

/** The bytes of a text field, up to its first NUL. A view of the block. */
function textBytes(block: Uint8Array, { offset, bytes }: HeaderField): Uint8Array {
  const field = block.subarray(offset, offset + bytes);
  const nul = field.indexOf(0);
  return nul === -1 ? field : field.subarray(0, nul);
}

function textOf(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('utf8');
}
