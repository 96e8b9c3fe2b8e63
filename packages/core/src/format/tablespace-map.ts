import { isUtf8 } from 'node:buffer';
import { TsbkError } from '../kernel/errors.ts';

/** A line of `tablespace_map`: a link that recovery makes in `pg_tblspc`. */
export interface TablespaceLink {
  readonly oid: number;
  /** Directory the link points to. */
  readonly location: string;
  /** The location's bytes, when they are not valid UTF-8. */
  readonly rawLocation?: Uint8Array;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const BACKSLASH = 0x5c;
const BACKSLASH_ESCAPED_SINCE = 14;
const OID_MAX = 0xffff_ffff;
const LINE = /^(\d{1,10}) ([^]+)$/;

/**
 * Reads `tablespace_map` as the server of that major version does (`read_tablespace_map`): `OID
 * location` lines, in which a backslash stands before each newline and carriage return of the
 * location, and since 14 before each backslash. Throws `record-invalid`.
 */
export function parseTablespaceMap(content: Uint8Array, major: number): readonly TablespaceLink[] {
  return unescapedLines(content, major).map((line) => {
    // One character a byte: nothing is lost while the line is taken apart.
    const [, oid, location] = LINE.exec(line.toString('latin1')) ?? [];
    if (location === undefined || Number(oid) > OID_MAX) throw invalid(line.toString());
    const bytes = Buffer.from(location, 'latin1');
    const link = { oid: Number(oid), location: bytes.toString() };
    return isUtf8(bytes) ? link : { ...link, rawLocation: bytes };
  });
}

/** Writes `tablespace_map` for a server of that major version. Empty without links. */
export function formatTablespaceMap(links: readonly TablespaceLink[], major: number): Uint8Array {
  return Buffer.concat(
    links.flatMap(({ oid, location, rawLocation }) => [
      Buffer.from(`${oid} `),
      escaped(rawLocation ?? Buffer.from(location), major),
      Buffer.of(NEWLINE),
    ]),
  );
}

function escaped(location: Uint8Array, major: number): Uint8Array {
  const needsEscape = (byte: number): boolean =>
    isLineEnd(byte) || (byte === BACKSLASH && major >= BACKSLASH_ESCAPED_SINCE);
  return Uint8Array.from(
    [...location].flatMap((byte) => (needsEscape(byte) ? [BACKSLASH, byte] : [byte])),
  );
}

/** The lines without their escapes; empty ones are let go, an unescaped CR ends one like a LF. */
function unescapedLines(content: Uint8Array, major: number): readonly Buffer[] {
  const lines: Buffer[] = [];
  let line: number[] = [];
  let isEscaped = false;
  for (const [index, byte] of content.entries()) {
    const canEscape = major >= BACKSLASH_ESCAPED_SINCE || isLineEnd(content[index + 1]);
    if (!isEscaped && byte === BACKSLASH && canEscape) {
      isEscaped = true;
    } else if (isEscaped || !isLineEnd(byte)) {
      line.push(byte);
      isEscaped = false;
    } else if (line.length > 0) {
      lines.push(Buffer.from(line));
      line = [];
    }
  }
  if (line.length > 0 || isEscaped) throw invalid(Buffer.from(line).toString());
  return lines;
}

function isLineEnd(byte: number | undefined): boolean {
  return byte === NEWLINE || byte === RETURN;
}

function invalid(line: string): TsbkError {
  return new TsbkError('record-invalid', `tablespace_map has the line ${JSON.stringify(line)}`, {
    hint: 'It is not the file that PostgreSQL wrote.',
  });
}
