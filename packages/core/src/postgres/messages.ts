import { TsbkError } from '../kernel/errors.ts';
import type { Frame } from './frame-reader.ts';

/**
 * What a server says in the simple query protocol and in COPY (PostgreSQL docs, "Message
 * Formats"). `S`, `N`, `A` and `K` may come at any moment and stand apart: see `sidenoteOf`.
 */
export type ServerMessage =
  | { readonly kind: 'columns'; readonly names: readonly string[] }
  | { readonly kind: 'row'; readonly values: readonly (Buffer | undefined)[] }
  | { readonly kind: 'complete'; readonly tag: string }
  | { readonly kind: 'copy-out' | 'copy-in' | 'copy-both' | 'copy-done' | 'empty-query' }
  | { readonly kind: 'copy-data'; readonly body: Buffer }
  | { readonly kind: 'error'; readonly notice: ServerNotice }
  | { readonly kind: 'ready' };

/** What may come between any two messages. */
export type Sidenote =
  | { readonly kind: 'parameter'; readonly name: string; readonly value: string }
  | { readonly kind: 'notice'; readonly notice: ServerNotice }
  | { readonly kind: 'ignored' };

/** Fields of an error or a notice that tsbk has a use for. */
export interface ServerNotice {
  /** `ERROR`, `FATAL`, `WARNING`, `NOTICE`…, never translated. */
  readonly severity: string;
  /** SQLSTATE. */
  readonly code: string;
  /** In the server's language. */
  readonly message: string;
  readonly detail?: string;
  readonly hint?: string;
}

/** Reads a frame that may come at any moment; `undefined` for all others. */
export function sidenoteOf(frame: Frame): Sidenote | undefined {
  switch (frame.type) {
    case 'N':
      return { kind: 'notice', notice: decodeNotice(frame.body) };
    case 'S': {
      const reader = new Fields(frame);
      return { kind: 'parameter', name: reader.text(), value: reader.text() };
    }
    case 'A':
    case 'K':
      return { kind: 'ignored' };
    default:
      return undefined;
  }
}

/** Reads any other frame. Throws `protocol-violation` for what is cut short or unknown. */
export function decodeMessage(frame: Frame): ServerMessage {
  switch (frame.type) {
    case 'd':
      return { kind: 'copy-data', body: frame.body };
    case 'T':
      return { kind: 'columns', names: decodeColumns(frame) };
    case 'D':
      return { kind: 'row', values: decodeRow(frame) };
    case 'C':
      return { kind: 'complete', tag: new Fields(frame).text() };
    case 'E':
      return { kind: 'error', notice: decodeNotice(frame.body) };
    case 'Z':
      return { kind: 'ready' };
    default:
      return decodeBare(frame);
  }
}

const BARE: Readonly<
  Record<string, 'copy-out' | 'copy-in' | 'copy-both' | 'copy-done' | 'empty-query'>
> = {
  H: 'copy-out',
  G: 'copy-in',
  W: 'copy-both',
  c: 'copy-done',
  I: 'empty-query',
};

/** Messages whose body says nothing that matters here. */
function decodeBare(frame: Frame): ServerMessage {
  const kind = BARE[frame.type];
  if (kind === undefined) throw violation(frame, 'is not expected here');
  return { kind };
}

function decodeColumns(frame: Frame): string[] {
  const reader = new Fields(frame);
  const names: string[] = [];
  for (let left = reader.int16(); left > 0; left -= 1) {
    names.push(reader.text());
    // Table, column, type, size, modifier, format: everything comes as text.
    reader.bytes(18);
  }
  return names;
}

function decodeRow(frame: Frame): (Buffer | undefined)[] {
  const reader = new Fields(frame);
  const values: (Buffer | undefined)[] = [];
  for (let left = reader.int16(); left > 0; left -= 1) {
    const length = reader.int32();
    values.push(length === -1 ? undefined : reader.bytes(length));
  }
  return values;
}

/** Fields in any order, unknown ones skipped. A message without its end is read as far as it goes. */
export function decodeNotice(body: Buffer): ServerNotice {
  const fields = new Map<string, string>();
  let at = 0;
  while (at < body.length && body[at] !== 0) {
    const end = body.indexOf(0, at + 1);
    if (end === -1) break;
    fields.set(String.fromCharCode(body[at] ?? 0), body.toString('utf8', at + 1, end));
    at = end + 1;
  }
  const detail = fields.get('D');
  const hint = fields.get('H');
  return {
    severity: fields.get('V') ?? fields.get('S') ?? 'ERROR',
    code: fields.get('C') ?? 'XX000',
    message: fields.get('M') ?? 'no message',
    ...(detail === undefined ? {} : { detail }),
    ...(hint === undefined ? {} : { hint }),
  };
}

/** Reads the fields of a body one after the other and never past its end. */
export class Fields {
  readonly #frame: Frame;
  #at = 0;

  constructor(frame: Frame) {
    this.#frame = frame;
  }

  int16(): number {
    return this.bytes(2).readInt16BE(0);
  }

  int32(): number {
    return this.bytes(4).readInt32BE(0);
  }

  /** A string that ends with a NUL byte. */
  text(): string {
    const end = this.#frame.body.indexOf(0, this.#at);
    if (end === -1) throw violation(this.#frame, 'holds a string without end');
    const text = this.#frame.body.toString('utf8', this.#at, end);
    this.#at = end + 1;
    return text;
  }

  bytes(count: number): Buffer {
    const end = this.#at + count;
    if (count < 0 || end > this.#frame.body.length) throw violation(this.#frame, 'is too short');
    const bytes = this.#frame.body.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }
}

function violation(frame: Frame, problem: string): TsbkError {
  return new TsbkError(
    'protocol-violation',
    `a message of type ${JSON.stringify(frame.type)} from the server ${problem}`,
    { hint: 'Is there something between tsbk and PostgreSQL that alters the stream?' },
  );
}
