import { TsbkError } from '../kernel/errors.ts';
import {
  readJson,
  type JsonContainer,
  type JsonEvents,
  type JsonScalar,
} from '../format/json-stream.ts';
import type { ByteSource } from '../ports/bytes.ts';
import { filesMetadataKey, sentinelKey } from './layout.ts';
import type { Repository, RunOptions } from './repository.ts';

/** What `files_metadata.json` says of one file. */
export interface FileEntry {
  /** Exactly as in the tar. */
  readonly name: string;
  /** The tar entry's payload is an increment, not the file. */
  readonly incremented: boolean;
  /** There is no tar entry: the content is the parent's. */
  readonly skipped: boolean;
  /** `MTime` as it stands there, RFC 3339; `undefined` if it has none. */
  readonly modified: string | undefined;
}

export interface FilesReader {
  onFile?(file: FileEntry): void;
  /** Basename with extension. WAL-G's remote backups list none. */
  onTar?(tar: string): void;
  /** A name in that tar. */
  onTarName?(name: string, tar: string): void;
}

/**
 * Reads a backup's `files_metadata.json` as it streams by, so that it may list millions of files.
 * Before WAL-G 2.0 the same stood in the sentinel. `false` if neither lists anything. Throws
 * `record-invalid`.
 */
export async function readFilesMetadata(
  repository: Repository,
  backup: string,
  { signal, ...reader }: RunOptions & FilesReader,
): Promise<boolean> {
  const what = filesMetadataKey(backup);
  const blob = await repository.store.get(what, { signal });
  if (blob !== undefined) {
    await parseFilesMetadata(blob.body, { ...reader, what });
    return true;
  }
  const old = sentinelKey(backup);
  const sentinel = await repository.store.get(old, { signal });
  if (sentinel === undefined) return false;
  let isListed = false;
  const onFile = (file: FileEntry): void => {
    isListed = true;
    reader.onFile?.(file);
  };
  await parseFilesMetadata(sentinel.body, { ...reader, onFile, what: old });
  return isListed;
}

/** The same of the document itself. A name that is listed twice comes twice. */
export async function parseFilesMetadata(
  document: ByteSource,
  { what, ...reader }: FilesReader & { readonly what: string },
): Promise<void> {
  await readJson(document, { what, events: new FilesEvents(what, reader) });
}

/** Depths: the document is 1, its `Files` 2, a file's entry 3. */
const DOCUMENT = 1;
const SECTION = 2;
const ENTRY = 3;

/** Keys match as Go reads them: whatever the case. `null` is as good as absent, but for a file. */
class FilesEvents implements JsonEvents {
  readonly #what: string;
  readonly #reader: FilesReader;
  #depth = 0;
  #section = '';
  #name = '';
  #field = '';
  #incremented = false;
  #skipped = false;
  #modified: string | undefined;

  constructor(what: string, reader: FilesReader) {
    this.#what = what;
    this.#reader = reader;
  }

  open(kind: JsonContainer): void {
    if (kind === 'array' && this.#mustBeObject()) throw this.#noObject();
    if (this.#depth === ENTRY) this.#checkField(undefined);
    this.#depth += 1;
  }

  close(): void {
    if (this.#depth === ENTRY && this.#section === 'files') {
      this.#reader.onFile?.({
        name: this.#name,
        incremented: this.#incremented,
        skipped: this.#skipped,
        modified: this.#modified,
      });
    }
    this.#depth -= 1;
  }

  key(name: string): void {
    if (this.#depth === DOCUMENT) this.#section = name.toLowerCase();
    else if (this.#depth === ENTRY) this.#field = name.toLowerCase();
    else if (this.#depth === SECTION) {
      this.#name = name;
      this.#incremented = false;
      this.#skipped = false;
      this.#modified = undefined;
      if (this.#section === 'tarfilesets') this.#reader.onTar?.(name);
    }
  }

  value(value: JsonScalar): void {
    const isAbsent = this.#depth === DOCUMENT && value === null;
    if (!isAbsent && this.#mustBeObject()) throw this.#noObject();
    if (this.#depth !== ENTRY) return;
    if (this.#section === 'tarfilesets' && typeof value === 'string') {
      this.#reader.onTarName?.(value, this.#name);
    }
    this.#checkField(value);
  }

  /** Whether what comes next has to be an object. */
  #mustBeObject(): boolean {
    if (this.#depth === 0) return true;
    if (this.#depth === DOCUMENT) return ['files', 'tarfilesets'].includes(this.#section);
    return this.#depth === SECTION && this.#section === 'files';
  }

  /** A field of a file's entry; `undefined` is an object or array. */
  #checkField(value: JsonScalar | undefined): void {
    if (this.#section !== 'files') return;
    if (this.#field === 'mtime' && typeof value === 'string') this.#modified = value;
    if (this.#field !== 'isincremented' && this.#field !== 'isskipped') return;
    if (typeof value !== 'boolean' && value !== null) {
      const problem = `of ${this.#name}, ${this.#field} is neither true nor false`;
      throw new TsbkError('record-invalid', `${this.#what}: ${problem}`);
    }
    if (this.#field === 'isincremented') this.#incremented = value === true;
    else this.#skipped = value === true;
  }

  #noObject(): TsbkError {
    const where = [this.#section, this.#name].slice(0, this.#depth);
    const what = [this.#what, ...where].join(', ');
    return new TsbkError('record-invalid', `${what} is not a JSON object`);
  }
}
