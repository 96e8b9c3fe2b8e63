import { parseDuration } from '../kernel/duration.ts';
import { parseSize } from '../kernel/size.ts';

/** What came of reading a value. `expected` completes the sentence "must be …". */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly expected: string; readonly unsupported?: boolean };

/** How the text of a setting becomes a value, and the value text again. */
export interface Kind<T> {
  /** For the documentation: `size`, `one of lz4, zstd`. */
  readonly name: string;
  parse(text: string): Parsed<T>;
  /** Text that `parse` reads back. A method, so that a `Kind<T>` is a `Kind<unknown>`, too. */
  format(value: T): string;
}

/** Timers of Node.js overflow above 2^31-1 ms (24.8 days) and then fire at once. */
const DURATION_MS_MAX = 24 * 86_400_000;

/** Any text but none. */
export const string: Kind<string> = {
  name: 'text',
  parse: (text) => (text === '' ? reject('a text that is not empty') : accept(text)),
  format: (value) => value,
};

/**
 * A path from the root. `archive_command` runs inside the data directory, where a relative path
 * would name files that a database superuser or a restored backup controls.
 */
export const absolutePath: Kind<string> = {
  name: 'absolute path',
  parse: (text) => (text.startsWith('/') ? accept(text) : reject('an absolute path')),
  format: (value) => value,
};

/** What PostgreSQL takes for the name of a replication slot. */
export const slotName: Kind<string> = {
  name: 'lower-case letters, digits and `_`, 63 at most',
  parse: (text) =>
    /^[a-z0-9_]{1,63}$/.test(text)
      ? accept(text)
      : reject('a name of at most 63 lower-case letters, digits and underscores'),
  format: (value) => value,
};

/** Go's `strconv.ParseBool`, as WAL-G reads booleans. */
export const boolean: Kind<boolean> = {
  name: 'true or false',
  parse: (text) => {
    if (/^(?:1|t|T|true|TRUE|True)$/.test(text)) return accept(true);
    if (/^(?:0|f|F|false|FALSE|False)$/.test(text)) return accept(false);
    return reject('true or false');
  },
  format: String,
};

/** A whole number from `min` to `max`, both included. */
export function integer(min: number, max: number): Kind<number> {
  return {
    name: `whole number, ${min} to ${max}`,
    parse: (text) => {
      const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
      return value >= min && value <= max
        ? accept(value)
        : reject(`a whole number from ${min} to ${max}`);
    },
    format: String,
  };
}

/** Like `integer`, with `-1` (WAL-G's word for "off") for unset. */
export function integerOrOff(min: number, max: number): Kind<number | undefined> {
  const bounded = integer(min, max);
  return {
    name: `${bounded.name}, \`-1\` for off`,
    parse: (text) => (text === '-1' ? accept(undefined) : bounded.parse(text)),
    format: (value) => String(value ?? -1),
  };
}

/** Bytes, from `min` to `max`: `1073741823`, `16MiB`, `1g`. */
export function size(min: number, max: number = Number.MAX_SAFE_INTEGER): Kind<number> {
  return {
    name: 'size (`16MiB`, `1g`, plain bytes)',
    parse: (text) => {
      const bytes = parseSize(text);
      if (bytes === undefined) return reject('a size such as 16MiB or 1073741824');
      if (bytes < min) return reject(`at least ${sizeText(min)}`);
      return bytes > max ? reject(`at most ${sizeText(max)}`) : accept(bytes);
    },
    format: sizeText,
  };
}

/** Milliseconds, from `minMs` to 24 days: `30s`, `1h30m`. */
export function duration(minMs: number): Kind<number> {
  return {
    name: 'duration (`30s`, `15m`, `1h30m`)',
    parse: (text) => {
      const milliseconds = parseDuration(text);
      if (milliseconds === undefined) return reject('a duration such as 30s, 15m or 1h30m');
      if (milliseconds < minMs) return reject(`at least ${durationText(minMs)}`);
      return milliseconds > DURATION_MS_MAX ? reject('at most 24d') : accept(milliseconds);
    },
    format: durationText,
  };
}

/** Like `duration`, with `0` for "no limit", which here is 24 days: every wait has an end. */
export function durationOrNoLimit(minMs: number): Kind<number> {
  const bounded = duration(minMs);
  return {
    ...bounded,
    name: `${bounded.name}, \`0\` for no limit`,
    parse: (text) => (parseDuration(text) === 0 ? accept(DURATION_MS_MAX) : bounded.parse(text)),
  };
}

/** One of a few words; `aliases` are other spellings that WAL-G has for them. */
export function choice<const T extends string>(
  values: readonly T[],
  aliases: Readonly<Record<string, T>> = {},
): Kind<T> {
  const spellings = new Map<string, T>([
    ...values.map((value) => [value.toLowerCase(), value] as const),
    ...Object.entries(aliases).map(([alias, value]) => [alias.toLowerCase(), value] as const),
  ]);
  return {
    name: `one of ${values.map((value) => `\`${value}\``).join(', ')}`,
    parse: (text) => {
      const value = spellings.get(text.toLowerCase());
      return value === undefined ? reject(`one of ${values.join(', ')}`) : accept(value);
    },
    format: (value) => value,
  };
}

/** The value, read. */
export function accept<T>(value: T): Parsed<T> {
  return { ok: true, value };
}

/** The value cannot be read; `expected` completes "must be …". */
export function reject(expected: string): Parsed<never> {
  return { ok: false, expected };
}

function sizeText(bytes: number): string {
  for (const [unit, factor] of [
    ['GiB', 1024 ** 3],
    ['MiB', 1024 ** 2],
    ['KiB', 1024],
  ] as const) {
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return String(bytes);
}

function durationText(milliseconds: number): string {
  for (const [unit, factor] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const) {
    if (milliseconds >= factor && milliseconds % factor === 0)
      return `${milliseconds / factor}${unit}`;
  }
  return `${milliseconds}ms`;
}
