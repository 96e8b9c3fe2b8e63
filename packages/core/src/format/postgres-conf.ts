import { TsbkError } from '../kernel/errors.ts';
import { asBuffer } from '../stream/collect.ts';

/** A line of `postgresql.conf` that sets something, or includes a file (name `include…`). */
export interface ConfSetting {
  /** In lower case: names do not tell cases apart. */
  readonly name: string;
  readonly value: string;
  /** From 1. */
  readonly line: number;
}

const NAME = String.raw`[A-Za-z_\x80-\xff][\w\x80-\xff]*`;
const QUOTED = String.raw`'(?:[^'\\]|\\.|'')*'`;
const BARE = String.raw`[A-Za-z_\x80-\xff][\w\x80-\xff.:/-]*`;
const NUMBER = String.raw`[-+]?(?:0x[0-9A-Fa-f]+[A-Za-z]*|\d+[A-Za-z]*|(?=\.?\d)\d*\.\d*(?:[Ee][-+]?\d+)?)`;
/** The longest token wins: a name is not cut short to have a value follow it without a space. */
const SETTING = new RegExp(
  String.raw`^[ \t\r]*(${NAME}(?:\.${NAME})?)(?![\w\x80-\xff.:/-])[ \t\r]*=?[ \t\r]*(${QUOTED}|${BARE}|${NUMBER})[ \t\r]*(?:#.*)?$`,
  's',
);
const NOTHING = /^[ \t\r]*(?:#.*)?$/s;
const LETTER_ESCAPES: Readonly<Record<string, string>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/**
 * Reads a configuration file by the rules of PostgreSQL's own parser (`guc-file.l`): one setting a
 * line, `=` optional, values bare or in single quotes. Of a name that is there twice, the server
 * takes the last one. Throws `record-invalid`, naming `what` and the line.
 */
export function parsePostgresConf(content: Uint8Array, what: string): readonly ConfSetting[] {
  const settings: ConfSetting[] = [];
  // One character a byte, as the server reads it: an escape may be half a character.
  for (const [index, text] of asBuffer(content).toString('latin1').split('\n').entries()) {
    if (NOTHING.test(text)) continue;
    const [, name, value] = SETTING.exec(text) ?? [];
    if (name === undefined || value === undefined) {
      throw new TsbkError('record-invalid', `${what}: line ${index + 1} is not a setting`, {
        hint: 'PostgreSQL would refuse it too. A value with other characters than letters and digits needs quotes.',
      });
    }
    const bytes = Buffer.from(unquoted(value), 'latin1');
    settings.push({ name: name.toLowerCase(), value: bytes.toString(), line: index + 1 });
  }
  return settings;
}

/** A value as it stands in a configuration file. Throws `RangeError` for NUL, which none can hold. */
export function quoteConfValue(value: string): string {
  if (value.includes('\0')) throw new RangeError('a setting cannot hold a NUL character');
  const escaped = value.replaceAll('\\', '\\\\').replaceAll("'", "''");
  return `'${escaped.replaceAll('\n', '\\n').replaceAll('\r', '\\r')}'`;
}

function unquoted(value: string): string {
  if (!value.startsWith("'")) return value;
  return value
    .slice(1, -1)
    .replaceAll(/\\([0-7]{1,3})|\\(.)|''/gs, (match: string, octal?: string, letter?: string) => {
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
      if (letter !== undefined) return LETTER_ESCAPES[letter] ?? letter;
      return match.slice(1);
    });
}
