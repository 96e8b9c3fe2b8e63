import { TsbkError } from '../kernel/errors.ts';
import type { JsonObject, JsonValue } from './json-value.ts';

export interface JsonParserOptions {
  /** Names the document in error messages. */
  readonly what: string;
  /** How deep arrays and objects may nest. Default 64. */
  readonly maxDepth?: number;
  /** What a key means that is there twice: an error, or `last` one wins as in Go. Default `last`. */
  readonly duplicateKeys?: 'last' | 'refuse';
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

const WHITE_SPACE: ReadonlySet<number> = new Set([0x20, 0x0a, 0x0d, 0x09]);

const DEPTH_MAX = 64;
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/** Recursive descent over UTF-16 code units; `#at` is the next one to read. Serves one document. */
export class JsonParser {
  readonly #text: string;
  readonly #what: string;
  readonly #maxDepth: number;
  readonly #refuseDuplicates: boolean;
  /** Made for the first key: most documents that are parsed one after the other are single numbers. */
  #keys: (string | undefined)[] | undefined;
  #at = 0;
  #depth = 0;

  constructor(text: string, options: JsonParserOptions) {
    this.#text = text;
    this.#what = options.what;
    this.#maxDepth = options.maxDepth ?? DEPTH_MAX;
    this.#refuseDuplicates = options.duplicateKeys === 'refuse';
  }

  document(): JsonValue {
    const value = this.#value(this.#next());
    if (!Number.isNaN(this.#next())) throw this.#error('something after the end');
    return value;
  }

  /** The next code unit that is no white space, not consumed; NaN at the end. */
  #next(): number {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code > 0x20 || !WHITE_SPACE.has(code)) return code;
      this.#at += 1;
    }
  }

  #value(first: number): JsonValue {
    switch (first) {
      case QUOTE:
        return this.#string();
      case OPEN_BRACE:
        return this.#object();
      case OPEN_BRACKET:
        return this.#array();
      case 0x74:
        return this.#word('true', true);
      case 0x66:
        return this.#word('false', false);
      case 0x6e:
        return this.#word('null', null);
      default:
        return this.#number();
    }
  }

  #object(): JsonObject {
    const object: Record<string, JsonValue> = {};
    this.#enter();
    let code = this.#next();
    if (code === CLOSE_BRACE) return this.#leave(object);
    for (;;) {
      if (code !== QUOTE) throw this.#error('a key expected');
      const key = this.#key();
      if (this.#next() !== COLON) throw this.#error('":" expected');
      this.#at += 1;
      this.#setProperty(object, key, this.#value(this.#next()));
      code = this.#next();
      if (code === CLOSE_BRACE) return this.#leave(object);
      if (code !== COMMA) throw this.#error('"," or "}" expected');
      this.#at += 1;
      code = this.#next();
    }
  }

  #setProperty(object: Record<string, JsonValue>, key: string, value: JsonValue): void {
    if (this.#refuseDuplicates && Object.hasOwn(object, key)) {
      throw this.#error(`the key ${JSON.stringify(key)} is there twice`);
    }
    // An assignment would change the prototype instead.
    if (key === '__proto__') {
      const own = { value, writable: true, enumerable: true, configurable: true };
      Object.defineProperty(object, key, own);
    } else object[key] = value;
  }

  #array(): readonly JsonValue[] {
    const array: JsonValue[] = [];
    this.#enter();
    let code = this.#next();
    if (code === CLOSE_BRACKET) return this.#leave(array);
    for (;;) {
      array.push(this.#value(code));
      code = this.#next();
      if (code === CLOSE_BRACKET) return this.#leave(array);
      if (code !== COMMA) throw this.#error('"," or "]" expected');
      this.#at += 1;
      code = this.#next();
    }
  }

  #enter(): void {
    this.#at += 1;
    this.#depth += 1;
    if (this.#depth > this.#maxDepth) throw this.#error(`nested deeper than ${this.#maxDepth}`);
  }

  #leave<T>(value: T): T {
    this.#at += 1;
    this.#depth -= 1;
    return value;
  }

  /**
   * A string that is likely to have come before: a record has the same keys for each of a million
   * files. Giving the very same string again spares the engine to look up a new one each time.
   */
  #key(): string {
    const start = this.#at + 1;
    const end = this.#text.indexOf('"', start);
    const length = end - start;
    const slot =
      (length + 31 * this.#text.charCodeAt(start) + this.#text.charCodeAt(end - 1)) & 0xff;
    this.#keys ??= Array.from({ length: 256 });
    const known = this.#keys[slot];
    if (known?.length === length && this.#text.startsWith(known, start)) {
      this.#at = end + 1;
      return known;
    }
    const key = this.#string();
    if (key.length === length && this.#text.startsWith(key, start)) this.#keys[slot] = key;
    return key;
  }

  #string(): string {
    const text = this.#text;
    const start = this.#at + 1;
    for (let at = start; ; at += 1) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) {
        this.#at = at + 1;
        return text.slice(start, at);
      }
      if (code === BACKSLASH) {
        this.#at = at;
        return this.#escapedString(text.slice(start, at));
      }
      // Also false for NaN, the end of the text.
      if (!(code >= 0x20)) {
        this.#at = at;
        throw this.#error('a string with a control character or without an end');
      }
    }
  }

  /** The rest of a string from its first backslash on. */
  #escapedString(head: string): string {
    const text = this.#text;
    let result = head;
    let start = this.#at;
    for (;;) {
      const code = text.charCodeAt(this.#at);
      if (code === QUOTE) {
        result += text.slice(start, this.#at);
        this.#at += 1;
        return result;
      }
      if (code === BACKSLASH) {
        result += text.slice(start, this.#at) + this.#escape();
        start = this.#at;
      } else if (code >= 0x20) this.#at += 1;
      else throw this.#error('a string with a control character or without an end');
    }
  }

  #escape(): string {
    const letter = this.#text.charAt(this.#at + 1);
    const short = SHORT_ESCAPES[letter];
    if (short !== undefined) {
      this.#at += 2;
      return short;
    }
    const digits = this.#text.slice(this.#at + 2, this.#at + 6);
    if (letter !== 'u' || !/^[0-9A-Fa-f]{4}$/.test(digits)) throw this.#error('an unknown escape');
    this.#at += 6;
    return String.fromCharCode(Number.parseInt(digits, 16));
  }

  #number(): number | bigint {
    const short = this.#shortInteger();
    if (short !== undefined) return short;
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.#text);
    if (match === null) throw this.#error('a value expected');
    const [literal, fraction, exponent] = match;
    const value = Number(literal);
    if (!Number.isFinite(value)) throw this.#error('a number that is too large');
    this.#at += literal.length;
    const isInteger = fraction === undefined && exponent === undefined;
    return isInteger && !Number.isSafeInteger(value) ? BigInt(literal) : value;
  }

  /** Up to fifteen digits and what follows a value: by far the most numbers are like this. */
  #shortInteger(): number | undefined {
    const text = this.#text;
    let at = this.#at;
    let value = 0;
    let code = text.charCodeAt(at);
    if (code === DIGIT_0 && isDigit(text.charCodeAt(at + 1))) return undefined;
    while (isDigit(code)) {
      value = value * 10 + (code - DIGIT_0);
      at += 1;
      code = text.charCodeAt(at);
    }
    const isWhole = code === COMMA || code === CLOSE_BRACE || code === CLOSE_BRACKET;
    if (!isWhole || at === this.#at || at - this.#at > 15) return undefined;
    this.#at = at;
    return value;
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#error('a value expected');
    this.#at += word.length;
    return value;
  }

  #error(problem: string): TsbkError {
    const where = this.#at >= this.#text.length ? 'its end' : `character ${this.#at + 1}`;
    return new TsbkError(
      'record-invalid',
      `${this.#what} is not valid JSON: ${problem} at ${where}`,
    );
  }
}

function isDigit(code: number): boolean {
  return code >= DIGIT_0 && code <= DIGIT_9;
}
