import { TsbkError } from '../kernel/errors.ts';
import type { ByteSource } from '../ports/bytes.ts';
import { parseJson } from './json.ts';

/** Hears what a document is made of, in its order. */
export interface JsonEvents {
  /** An object or array begins. */
  open(kind: JsonContainer): void;
  /** The innermost object or array ends. */
  close(): void;
  /** The key of the value that comes next. One that is there twice comes twice. */
  key(name: string): void;
  /** Integers beyond ±(2^53−1) are `bigint`. */
  value(value: JsonScalar): void;
}

export type JsonContainer = 'object' | 'array';
export type JsonScalar = null | boolean | number | bigint | string;

export interface ReadJsonOptions {
  /** Names the document in error messages. */
  readonly what: string;
  readonly events: JsonEvents;
}

const DEPTH_MAX = 64;
/** Longer than any key or text of a record. */
const TOKEN_CHARS_MAX = 1024 * 1024;

/**
 * Reads a JSON document as it streams by (RFC 8259, nothing beyond): memory does not depend on its
 * length. Throws `record-invalid` for what is no JSON or no UTF-8; nothing of the document may be
 * trusted before this has resolved. What `events` throw comes out as it is.
 */
export async function readJson(
  source: ByteSource,
  { what, events }: ReadJsonOptions,
): Promise<void> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const scanner = new JsonScanner(what, events);
  const decode = (chunk?: Uint8Array): string => {
    try {
      return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
    } catch (error) {
      throw new TsbkError('record-invalid', `${what} is not UTF-8 text`, { cause: error });
    }
  };
  for await (const chunk of source) scanner.push(decode(chunk));
  scanner.push(decode());
  scanner.end();
}

/** What may come next. */
type Expected = 'value' | 'value-or-end' | 'key' | 'key-or-end' | 'colon' | 'comma-or-end' | 'end';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE: ReadonlySet<number> = new Set([0x20, 0x0a, 0x0d, 0x09]);
/** Without a backslash and what must stand behind one. */
const PLAIN = /^[ -[\]-\uffff]*$/;
const SHORT_INTEGER = /^[1-9]\d{0,14}$/;
const WORD = /[^\s,:{}[\]"]+/y;
const WORDS: Readonly<Record<string, JsonScalar>> = { true: true, false: false, null: null, 0: 0 };

/** Takes the text in pieces cut anywhere; a token that may go on waits for the next piece. */
class JsonScanner {
  readonly #what: string;
  readonly #events: JsonEvents;
  readonly #open: JsonContainer[] = [];
  #text = '';
  #at = 0;
  /** Characters before `#text`. */
  #before = 0;
  #expected: Expected = 'value';

  constructor(what: string, events: JsonEvents) {
    this.#what = what;
    this.#events = events;
  }

  push(piece: string): void {
    this.#text = this.#text.slice(this.#at) + piece;
    this.#before += this.#at;
    this.#at = 0;
    while (this.#skipSpace() && this.#token(false));
    if (this.#text.length - this.#at > TOKEN_CHARS_MAX)
      throw this.#error('a text that is too long');
  }

  end(): void {
    // A number at the very end is ended by nothing else.
    while (this.#skipSpace() && this.#token(true));
    if (this.#at < this.#text.length) throw this.#error('a text without an end');
    if (this.#expected !== 'end') throw this.#error('more expected');
  }

  /** Whether anything is left after white space. */
  #skipSpace(): boolean {
    while (SPACE.has(this.#text.charCodeAt(this.#at))) this.#at += 1;
    return this.#at < this.#text.length;
  }

  /** Takes one token; `false` if it is not whole yet. */
  #token(isLast: boolean): boolean {
    switch (this.#text.charAt(this.#at)) {
      case '{':
        return this.#begin('object', 'key-or-end');
      case '[':
        return this.#begin('array', 'value-or-end');
      case '}':
        return this.#finish('object', 'key-or-end');
      case ']':
        return this.#finish('array', 'value-or-end');
      case ',':
        return this.#mark('comma-or-end', this.#open.at(-1) === 'object' ? 'key' : 'value');
      case ':':
        return this.#mark('colon', 'value');
      case '"':
        return this.#string();
      default:
        return this.#word(isLast);
    }
  }

  #begin(kind: JsonContainer, inside: Expected): boolean {
    this.#requireValue();
    if (this.#open.length === DEPTH_MAX) throw this.#error(`nested deeper than ${DEPTH_MAX}`);
    this.#open.push(kind);
    this.#at += 1;
    this.#expected = inside;
    this.#events.open(kind);
    return true;
  }

  #finish(kind: JsonContainer, whenEmpty: Expected): boolean {
    const mayEnd = this.#expected === whenEmpty || this.#expected === 'comma-or-end';
    if (this.#open.at(-1) !== kind || !mayEnd) throw this.#error('an end that has no beginning');
    this.#open.pop();
    this.#at += 1;
    this.#afterValue();
    this.#events.close();
    return true;
  }

  #mark(where: Expected, next: Expected): boolean {
    const isHere = this.#expected === where && (where === 'colon' || this.#open.length > 0);
    if (!isHere) throw this.#error('a value or a key expected');
    this.#at += 1;
    this.#expected = next;
    return true;
  }

  #string(): boolean {
    const text = this.#text;
    const start = this.#at + 1;
    const quote = text.indexOf('"', start);
    if (quote === -1) return false;
    const string = text.slice(start, quote);
    if (PLAIN.test(string)) this.#takeString(string, quote + 1);
    else {
      const end = this.#endOfString();
      if (end === undefined) return false;
      this.#takeString(this.#unescaped(text.slice(this.#at, end)), end);
    }
    return true;
  }

  /** Of one with escapes; `undefined` if it is not whole yet. */
  #endOfString(): number | undefined {
    const text = this.#text;
    for (let at = this.#at + 1; at < text.length;) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) return at + 1;
      if (code < 0x20) throw this.#error('a string with a control character');
      at += code === BACKSLASH ? 2 : 1;
    }
    return undefined;
  }

  #takeString(string: string, end: number): void {
    if (this.#expected === 'key' || this.#expected === 'key-or-end') {
      this.#at = end;
      this.#expected = 'colon';
      this.#events.key(string);
    } else {
      this.#requireValue();
      this.#at = end;
      this.#afterValue();
      this.#events.value(string);
    }
  }

  #unescaped(quoted: string): string {
    try {
      return JSON.parse(quoted) as string;
    } catch {
      throw this.#error('a string with a control character or an unknown escape');
    }
  }

  #word(isLast: boolean): boolean {
    WORD.lastIndex = this.#at;
    const [word = ''] = WORD.exec(this.#text) ?? [];
    const end = this.#at + word.length;
    if (end === this.#text.length && !isLast) return false;
    this.#requireValue();
    const known = Object.hasOwn(WORDS, word) ? WORDS[word] : undefined;
    const value = known === undefined ? this.#scalar(word) : known;
    this.#at = end;
    this.#afterValue();
    this.#events.value(value);
    return true;
  }

  #scalar(word: string): JsonScalar {
    // By far the most numbers are like this.
    if (SHORT_INTEGER.test(word)) return Number(word);
    try {
      return parseJson(word, { what: this.#what }) as JsonScalar;
    } catch {
      throw this.#error('a value expected');
    }
  }

  #requireValue(): void {
    if (this.#expected === 'value' || this.#expected === 'value-or-end') return;
    if (this.#expected === 'end') throw this.#error('something after the end');
    throw this.#error('a key, a comma or an end expected');
  }

  #afterValue(): void {
    this.#expected = this.#open.length === 0 ? 'end' : 'comma-or-end';
  }

  #error(problem: string): TsbkError {
    const where = `character ${this.#before + this.#at + 1}`;
    return new TsbkError(
      'record-invalid',
      `${this.#what} is not valid JSON: ${problem} at ${where}`,
    );
  }
}
