import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { TsbkError } from '../kernel/errors.ts';
import { parseLsn } from '../kernel/lsn.ts';
import { toSystemId, type SystemId } from '../kernel/system-id.ts';
import { asBuffer } from '../stream/collect.ts';
import { manifestFileOf } from './manifest-line.ts';
import type { ManifestSummary, ManifestWalRange, ReadManifestOptions } from './manifest.ts';

const NEWLINE = 0x0a;
/** A path of 1023 bytes, each of them escaped, and the rest of the line fit many times. */
const LINE_BYTES_MAX = 64 * 1024;

const VERSION = /^\{ *"PostgreSQL-Backup-Manifest-Version": *(\d{1,9}),$/;
const SYSTEM_ID = /^"System-Identifier": *(\d{1,20}),$/;
const FILES = /^"Files": *\[$/;
const WAL_RANGES = /^"WAL-Ranges": *\[$/;
const LIST_END = /^\],$/;
const CHECKSUM = /^"Manifest-Checksum": *"([0-9A-Fa-f]{64})"\}$/;
const WAL_RANGE =
  /^\{ *"Timeline": *(\d{1,10}), *"Start-LSN": *"([^"]*)", *"End-LSN": *"([^"]*)" *\},?$/;

/** What the next line must be. */
type Expected =
  | 'version'
  | 'system-id'
  | 'files'
  | 'file'
  | 'wal-ranges'
  | 'wal-range'
  | 'sum'
  | 'end';

/**
 * Reads a manifest line by line: PostgreSQL and pg_combinebackup have always written one file a
 * line, and its own readers need the line structure for the checksum. Serves one manifest.
 */
export class ManifestParser {
  readonly #what: string;
  readonly #onFile: ReadManifestOptions['onFile'];
  /** Of everything but the last line; what may be the last line is held back. */
  readonly #hash = createHash('sha256');
  readonly #walRanges: ManifestWalRange[] = [];
  /** What to do with a line, by what it must be. */
  readonly #takers: Readonly<Record<Expected, (line: string) => void>> = {
    version: (line) => this.#takeVersion(line),
    'system-id': (line) => this.#takeSystemId(line),
    files: (line) => this.#takeHeading(line, FILES, 'file'),
    file: (line) => this.#takeFile(line),
    'wal-ranges': (line) => this.#takeHeading(line, WAL_RANGES, 'wal-range'),
    'wal-range': (line) => this.#takeWalRange(line),
    sum: (line) => this.#takeChecksum(line),
    end: () => {
      throw this.#invalid('comes after the end');
    },
  };
  #held: Uint8Array = Buffer.alloc(0);
  #rest: Uint8Array = Buffer.alloc(0);
  #expected: Expected = 'version';
  #lines = 0;
  #version: 1 | 2 = 1;
  #systemId: SystemId | undefined;
  #checksum = '';

  constructor({ what, onFile }: ReadManifestOptions) {
    this.#what = what;
    this.#onFile = onFile;
  }

  /** The next bytes, cut anywhere. */
  push(chunk: Uint8Array): void {
    const bytes = this.#rest.length === 0 ? asBuffer(chunk) : Buffer.concat([this.#rest, chunk]);
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    if (end > 0) this.#takeLines(bytes.subarray(0, end));
    // Copied, because a chunk is much larger than the piece of a line at its end.
    this.#rest = Uint8Array.from(bytes.subarray(end));
    if (this.#rest.length > LINE_BYTES_MAX) throw this.#invalid('is too long', this.#lines + 1);
  }

  /** After the last byte. */
  end(): ManifestSummary {
    if (this.#rest.length > 0 || this.#expected !== 'end')
      throw this.#invalid('is missing or cut off', this.#lines + 1);
    const sha256 = this.#hash.digest('hex');
    if (sha256 !== this.#checksum) {
      throw new TsbkError('record-invalid', `${this.#what} does not have the checksum it says`, {
        hint: 'It was changed or damaged after PostgreSQL wrote it.',
      });
    }
    const walRanges = this.#walRanges;
    return { version: this.#version, systemId: this.#systemId, walRanges, sha256 };
  }

  /** Whole lines, with the newline of the last one. */
  #takeLines(bytes: Buffer): void {
    const lastLine = bytes.lastIndexOf(NEWLINE, bytes.length - 2) + 1;
    this.#hash.update(this.#held).update(bytes.subarray(0, lastLine));
    this.#held = Uint8Array.from(bytes.subarray(lastLine));
    let start = 0;
    while (start < bytes.length) {
      const end = bytes.indexOf(NEWLINE, start);
      this.#takeLine(bytes.subarray(start, end));
      start = end + 1;
    }
  }

  #takeLine(bytes: Buffer): void {
    this.#lines += 1;
    if (bytes.length > LINE_BYTES_MAX || !isUtf8(bytes)) throw this.#invalid('cannot be read');
    const line = bytes.toString('utf8');
    this.#takers[this.#expected](line);
  }

  #takeVersion(line: string): void {
    const version = Number(this.#match(line, VERSION)[1]);
    if (version !== 1 && version !== 2) {
      throw new TsbkError('record-invalid', `${this.#what} is a manifest of version ${version}`, {
        hint: 'tsbk knows those of PostgreSQL 13 to 18.',
      });
    }
    this.#version = version;
    this.#expected = version === 1 ? 'files' : 'system-id';
  }

  #takeSystemId(line: string): void {
    this.#systemId = toSystemId(this.#match(line, SYSTEM_ID)[1] ?? '');
    this.#expected = 'files';
  }

  #takeHeading(line: string, pattern: RegExp, next: Expected): void {
    this.#match(line, pattern);
    this.#expected = next;
  }

  #takeFile(line: string): void {
    if (LIST_END.test(line)) {
      this.#expected = 'wal-ranges';
      return;
    }
    const file = manifestFileOf(line);
    if (file === undefined) throw this.#invalid('cannot be read');
    this.#onFile(file);
  }

  #takeWalRange(line: string): void {
    if (LIST_END.test(line)) {
      this.#expected = 'sum';
      return;
    }
    const [, timeline, start = '', end = ''] = this.#match(line, WAL_RANGE);
    const startLsn = parseLsn(start);
    const endLsn = parseLsn(end);
    if (startLsn === undefined || endLsn === undefined) throw this.#invalid('cannot be read');
    this.#walRanges.push({ timeline: Number(timeline), startLsn, endLsn });
  }

  #takeChecksum(line: string): void {
    this.#checksum = (this.#match(line, CHECKSUM)[1] ?? '').toLowerCase();
    this.#expected = 'end';
  }

  #match(line: string, pattern: RegExp): RegExpExecArray {
    const match = pattern.exec(line);
    if (match === null) throw this.#invalid('cannot be read');
    return match;
  }

  #invalid(problem: string, line = this.#lines): TsbkError {
    return new TsbkError('record-invalid', `${this.#what}: line ${line} ${problem}`, {
      hint: 'It is not the backup manifest that PostgreSQL wrote.',
    });
  }
}
