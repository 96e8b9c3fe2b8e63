import { hash } from 'node:crypto';

/** What is remembered of a WAL file that is durable in the archive. */
export interface PushRecord {
  readonly name: string;
  /** The environment of the command, as its launcher compares it; `undefined` if it must not answer. */
  readonly asked: Asked | undefined;
  /** As in `file-identity.ts`; `undefined` if the file was too young to be known by it. */
  readonly identity: string | undefined;
  /** Where it is archived: the repository, as `placeOf` names it. */
  readonly place: string;
  readonly bytes: number;
  /** Of the content, in hexadecimal. */
  readonly sha256: string;
  /** Milliseconds since the epoch. */
  readonly writtenMs: number;
}

/** How a launcher knows that a command would be given the same settings: literally. */
export interface Asked {
  readonly environment: string;
  /** Path of the settings file, or `none`. */
  readonly settings: string;
  /** Of the settings file; empty for none. */
  readonly settingsIdentity: string;
}

const HEAD = 'tsbk-pushed 1';
const END = 'end';
const NOTHING = '-';
const SUMMED_LINES = 10;
/** After the identity, with the empty one behind the last line end. */
const REST_LINES = 7;

/**
 * The record as text. The launcher reads the lines up to `identity` and the last one, without a
 * program to help it; so each value has a line of its own. `undefined` if a value cannot have one.
 */
export function formatPushRecord(record: PushRecord): string | undefined {
  const { asked } = record;
  const lines = [
    HEAD,
    record.name,
    asked?.environment ?? NOTHING,
    asked?.settings ?? NOTHING,
    asked?.settingsIdentity ?? NOTHING,
    record.identity ?? NOTHING,
    record.place,
    `${record.bytes}`,
    record.sha256,
    `${record.writtenMs}`,
  ];
  if (lines.some((line) => /[\n\r\0]/.test(line))) return undefined;
  const text = lines.join('\n');
  return `${text}\n${hash('sha256', text)}\n${END}\n`;
}

/** Reads it back; `undefined` for whatever is not exactly what was written: torn, changed, foreign. */
export function parsePushRecord(text: string): PushRecord | undefined {
  const lines = text.split('\n');
  const [head, name, environment, settings, settingsIdentity, identity, ...rest] = lines;
  const [place, bytes, sha256, written, sum, end] = rest;
  if (head !== HEAD || end !== END || rest.length !== REST_LINES) return undefined;
  if (sum !== hash('sha256', lines.slice(0, SUMMED_LINES).join('\n'))) return undefined;
  const asked =
    environment === NOTHING
      ? undefined
      : {
          environment: `${environment}`,
          settings: `${settings}`,
          settingsIdentity: `${settingsIdentity}`,
        };
  return {
    name: `${name}`,
    asked,
    identity: identity === NOTHING ? undefined : identity,
    place: `${place}`,
    bytes: Number(bytes),
    sha256: `${sha256}`,
    writtenMs: Number(written),
  };
}
