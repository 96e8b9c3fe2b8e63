import { isAscii, isUtf8 } from 'node:buffer';
import type { Instant } from '../../kernel/instant.ts';
import {
  HEADER_FIELDS,
  paddingBytes,
  TAR_BLOCK_BYTES,
  type HeaderField,
  type TarHeader,
} from './header.ts';
import { putChecksum } from './checksum.ts';
import { encodeOctal, octalMax } from './number-field.ts';
import { encodePax } from './pax.ts';
import { tarInvalid } from './tar-invalid.ts';

/** A member to write. Its type byte follows from its kind. */
export type TarMember = Omit<TarHeader, 'typeflag'>;

const TYPEFLAGS = { file: '0', directory: '5', symlink: '2' } as const;
/** Magic and version of the POSIX format. */
const MAGIC = Buffer.from('ustar\x0000');
const NS_PER_SECOND = 1_000_000_000n;
const SLASH = 0x2f;

/**
 * The blocks that go before a member's body: one in ustar format where everything fits, otherwise
 * a PAX extended header and one. What Go's archive/tar, GNU tar and bsdtar read is the same. The
 * name is written as it is, byte for byte; the time is cut to whole seconds, as WAL-G does.
 *
 * Throws `tar-invalid` for what cannot be written: kind `other`, empty names, names with NUL.
 */
export function encodeHeader(member: TarMember): Uint8Array {
  if (member.kind === 'other') throw refusal(member, 'is neither file, directory nor symlink');
  if (member.kind !== 'file' && member.bytes !== 0) throw refusal(member, 'must not have a body');
  const block = new Uint8Array(TAR_BLOCK_BYTES);
  const pax = new Map<string, Uint8Array>();
  putName(block, pax, member);
  putText(block, pax, { key: 'linkpath', field: HEADER_FIELDS.linkName, bytes: linkOf(member) });
  putText(block, pax, { key: 'uname', field: HEADER_FIELDS.uname, bytes: utf8(member.uname) });
  putText(block, pax, { key: 'gname', field: HEADER_FIELDS.gname, bytes: utf8(member.gname) });
  putNumber(block, pax, { key: 'size', field: HEADER_FIELDS.size, value: member.bytes });
  putNumber(block, pax, { key: 'uid', field: HEADER_FIELDS.uid, value: member.uid });
  putNumber(block, pax, { key: 'gid', field: HEADER_FIELDS.gid, value: member.gid });
  const seconds = wholeSeconds(member.modified);
  putNumber(block, pax, { key: 'mtime', field: HEADER_FIELDS.modified, value: seconds });
  encodeOctal(block, HEADER_FIELDS.mode, member.mode & 0o7777);
  finish(block, TYPEFLAGS[member.kind]);
  return pax.size === 0 ? block : Buffer.concat([paxHeader(pax, block), block]);
}

type PaxOut = Map<string, Uint8Array>;

interface TextValue {
  readonly key: string;
  readonly field: HeaderField;
  readonly bytes: Uint8Array;
}

interface NumberValue {
  readonly key: string;
  readonly field: HeaderField;
  readonly value: number;
}

/** Only the name has a second field: what is before one of its slashes may go into `prefix`. */
function putName(block: Uint8Array, pax: PaxOut, member: TarMember): void {
  const bytes = member.rawName ?? utf8(member.name);
  if (bytes.length === 0 || bytes.includes(0)) throw refusal(member, 'has no name or NUL in it');
  const split = isAscii(bytes) ? splitAt(bytes) : 0;
  if (split === 0) {
    putText(block, pax, { key: 'path', field: HEADER_FIELDS.name, bytes });
    return;
  }
  block.set(bytes.subarray(0, split), HEADER_FIELDS.prefix.offset);
  block.set(bytes.subarray(split + 1), HEADER_FIELDS.name.offset);
}

/** Index of the slash that parts a long name into prefix and name; 0 if there is no such slash. */
function splitAt(bytes: Uint8Array): number {
  if (bytes.length <= HEADER_FIELDS.name.bytes) return 0;
  // A slash at the very end stays with the name, which must not be empty.
  const last = Math.min(HEADER_FIELDS.prefix.bytes, bytes.length - 2);
  const slash = bytes.lastIndexOf(SLASH, last);
  return slash > 0 && bytes.length - slash - 1 <= HEADER_FIELDS.name.bytes ? slash : 0;
}

/**
 * Text that is neither ASCII nor UTF-8 goes into the block as it is, as GNU tar and PostgreSQL
 * write it: PAX promises UTF-8.
 */
function putText(block: Uint8Array, pax: PaxOut, { key, field, bytes }: TextValue): void {
  const fits = bytes.length <= field.bytes;
  if (fits && (isAscii(bytes) || !isUtf8(bytes))) {
    block.set(bytes, field.offset);
    return;
  }
  pax.set(key, bytes);
  // For readers that know no PAX: something like it.
  block.set(bytes.filter((byte) => byte < 0x80).subarray(0, field.bytes), field.offset);
}

function putNumber(block: Uint8Array, pax: PaxOut, { key, field, value }: NumberValue): void {
  const fits = value >= 0 && value <= octalMax(field);
  encodeOctal(block, field, fits ? value : 0);
  if (!fits) pax.set(key, utf8(String(value)));
}

/** The extended header: a block of its own, the records, and zeros to the next block. */
function paxHeader(pax: PaxOut, of: Uint8Array): Uint8Array {
  const body = encodePax(pax);
  const block = new Uint8Array(TAR_BLOCK_BYTES);
  const name = of
    .subarray(0, HEADER_FIELDS.name.bytes)
    .filter((byte) => byte > 0x20 && byte < 0x7f);
  const base = Buffer.from(name)
    .toString('latin1')
    .split('/')
    .findLast((part) => part !== '');
  block.set(utf8(`PaxHeaders.0/${(base ?? 'member').slice(0, 80)}`), HEADER_FIELDS.name.offset);
  encodeOctal(block, HEADER_FIELDS.mode, 0o644);
  encodeOctal(block, HEADER_FIELDS.uid, 0);
  encodeOctal(block, HEADER_FIELDS.gid, 0);
  encodeOctal(block, HEADER_FIELDS.size, body.length);
  encodeOctal(block, HEADER_FIELDS.modified, 0);
  finish(block, 'x');
  return Buffer.concat([block, body, new Uint8Array(paddingBytes(body.length))]);
}

/** Type, magic and, last of all, the checksum over everything else. */
function finish(block: Uint8Array, typeflag: string): void {
  block[HEADER_FIELDS.typeflag.offset] = typeflag.charCodeAt(0);
  block.set(MAGIC, HEADER_FIELDS.magic.offset);
  encodeOctal(block, HEADER_FIELDS.deviceMajor, 0);
  encodeOctal(block, HEADER_FIELDS.deviceMinor, 0);
  putChecksum(block);
}

function wholeSeconds(modified: Instant): number {
  const seconds = modified / NS_PER_SECOND;
  return Number(modified < 0n && seconds * NS_PER_SECOND !== modified ? seconds - 1n : seconds);
}

function linkOf(member: TarMember): Uint8Array {
  if (member.kind !== 'symlink') return new Uint8Array(0);
  const bytes = member.rawLinkName ?? utf8(member.linkName);
  if (bytes.length === 0 || bytes.includes(0)) throw refusal(member, 'has no target or NUL in it');
  return bytes;
}

function utf8(text = ''): Uint8Array {
  return Buffer.from(text);
}

function refusal(member: TarMember, problem: string): Error {
  return tarInvalid('tar archive', `cannot write ${JSON.stringify(member.name)}: it ${problem}`);
}
