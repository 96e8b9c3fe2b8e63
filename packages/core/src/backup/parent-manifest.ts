import { createHash } from 'node:crypto';
import { TsbkError } from '../kernel/errors.ts';
import { NameIndexBuilder, numberOf, type NameIndex } from '../kernel/name-index.ts';
import { incrementalTarget } from '../format/increment/pg-incremental.ts';
import { isPagedFile } from '../format/increment/paged-file.ts';
import { manifestFileOf } from '../format/manifest-line.ts';
import { lineSeparator } from '../format/format-manifest.ts';
import { PAGE_BYTES } from '../format/page.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { PromisedObject } from '../ports/extract.ts';
import { openVerified } from '../repository/open-verified.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { readParentFiles, type ParentBackup } from './parent.ts';

/**
 * The parent's manifest as a server is given it: without the lines of files that WAL-G would not take
 * for files of pages, and of those that the parent's files metadata does not list. What is not
 * listed the server sends whole. All that is kept is kept byte for byte; the checksum at its end is
 * made anew, after the old one was found right. Throws `backup-incomplete`, `record-invalid` and, when
 * it is read, what `openVerified` throws.
 */
export async function parentManifest(
  repository: Repository,
  parent: ParentBackup,
  { signal }: RunOptions,
): Promise<ByteSource> {
  const { manifest } = parent;
  if (manifest === undefined) throw new TypeError(`${parent.name} was chosen without a manifest`);
  const names = new NameIndexBuilder();
  await readParentFiles(repository, parent, { signal, onFile: ({ name }) => names.add(name) });
  return read(repository, { manifest, listed: names.index() }, { signal });
}

/** Opened when somebody reads: there may be no server to give it to. */
async function* read(
  repository: Repository,
  { manifest, listed }: { readonly manifest: PromisedObject; readonly listed: NameIndex },
  { signal }: RunOptions,
): ByteSource {
  const source = await openVerified(repository, manifest, { signal });
  yield* filterManifest(source, { what: manifest.key, listed });
}

interface FilterOptions {
  readonly what: string;
  /** Names in the parent's files metadata, with their leading slash. */
  readonly listed: NameIndex;
}

const NEWLINE = 0x0a;
/** A path of 1023 bytes, each of them escaped, and the rest of the line fit many times. */
const LINE_BYTES_MAX = 64 * 1024;
const LAST_LINE = /^"Manifest-Checksum": *"([0-9a-fA-F]{64})"\}$/;

/** Nearly every line; to read all of a line as JSON takes several times as long. */
const PLAIN_PATH = /^\{ "Path": "([^"\\]+)", "/;

/** The same of the bytes of any manifest. Holds a chunk and a line of it, however long it is. */
export async function* filterManifest(source: ByteSource, options: FilterOptions): ByteSource {
  const filter = new ManifestFilter(options);
  let rest = Buffer.alloc(0);
  for await (const chunk of source) {
    const bytes = Buffer.concat([rest, chunk]);
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    const kept = filter.take(bytes.subarray(0, end));
    if (kept.length > 0) yield kept;
    rest = bytes.subarray(end);
    if (rest.length > LINE_BYTES_MAX) throw filter.invalid('has a line without end');
  }
  if (rest.length > 0) throw filter.invalid('is cut off');
  yield filter.end();
}

class ManifestFilter {
  readonly #options: FilterOptions;
  readonly #before = createHash('sha256');
  readonly #after = createHash('sha256');
  #section: 'head' | 'files' | 'tail' | 'end' = 'head';
  #kept = 0;
  #said = '';

  constructor(options: FilterOptions) {
    this.#options = options;
  }

  /** Whole lines, with the newline of each; gives what is kept of them. */
  take(lines: Buffer): Buffer {
    const pieces: Buffer[] = [];
    let summed = lines.length;
    for (let start = 0; start < lines.length;) {
      const end = lines.indexOf(NEWLINE, start) + 1;
      this.#takeLine(lines.subarray(start, end), pieces);
      // The last line is not part of its sum.
      if (this.#section === 'end') summed = start;
      start = end;
    }
    this.#before.update(lines.subarray(0, summed));
    const kept = Buffer.concat(pieces);
    this.#after.update(kept);
    return kept;
  }

  end(): Buffer {
    if (this.#section !== 'end') throw this.invalid('is cut off');
    if (this.#said !== this.#before.digest('hex')) {
      throw this.invalid('does not have the checksum it says');
    }
    return Buffer.from(`"Manifest-Checksum": "${this.#after.digest('hex')}"}\n`);
  }

  invalid(problem: string): TsbkError {
    return new TsbkError('record-invalid', `${this.#options.what} ${problem}`, {
      hint: 'It is not the backup manifest that was written. Take a full backup.',
    });
  }

  #takeLine(line: Buffer, pieces: Buffer[]): void {
    const text = line.toString('utf8', 0, line.length - 1);
    if (this.#section === 'end') throw this.invalid('goes on after its end');
    const sum = this.#section === 'tail' ? LAST_LINE.exec(text)?.[1] : undefined;
    if (sum !== undefined) {
      this.#said = sum.toLowerCase();
      this.#section = 'end';
      return;
    }
    if (this.#section === 'files' && !/^\],$/.test(text)) {
      this.#takeFile(line, text, pieces);
      return;
    }
    // The newline before it was that of the last file, which may have gone.
    if (this.#section === 'files') {
      pieces.push(Buffer.from('\n'), line);
      this.#section = 'tail';
    } else if (/^"Files": *\[$/.test(text)) {
      pieces.push(line.subarray(0, line.length - 1));
      this.#section = 'files';
    } else {
      pieces.push(line);
    }
  }

  #takeFile(line: Buffer, text: string, pieces: Buffer[]): void {
    const listed = this.#pathIn(text);
    const path = incrementalTarget(listed) ?? listed;
    // Its size then decides nothing: what it has grown or shrunk to is what matters.
    if (!isPagedFile(path, PAGE_BYTES)) return;
    if (numberOf(this.#options.listed, `/${path}`) === undefined) return;
    const end = text.endsWith(',') ? line.length - 2 : line.length - 1;
    pieces.push(Buffer.from(lineSeparator(this.#kept)), line.subarray(0, end));
    this.#kept += 1;
  }

  /** What is no UTF-8 has replacement characters, and so is no name of pages. */
  #pathIn(text: string): string {
    const plain = PLAIN_PATH.exec(text)?.[1];
    if (plain !== undefined) return plain;
    const file = manifestFileOf(text);
    if (file !== undefined) return file.path;
    throw this.invalid(`has a line that cannot be read: ${text.slice(0, 200)}`);
  }
}
