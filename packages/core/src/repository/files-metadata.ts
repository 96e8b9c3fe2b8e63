import type { JsonValue } from '../format/json.ts';
import { asObject, optionalBoolean, optionalField } from '../format/json-fields.ts';

/** What `files_metadata.json` says of one file. */
export interface FileEntry {
  /** The tar entry's payload is an increment, not the file. */
  readonly incremented: boolean;
  /** There is no tar entry: the content is the parent's. */
  readonly skipped: boolean;
}

/** `files_metadata.json`: names are exactly those of the tar entries. */
export interface FilesMetadata {
  readonly files: ReadonlyMap<string, FileEntry>;
  /** Tar basename with extension → names in it. Empty for WAL-G's remote backups. */
  readonly tars: ReadonlyMap<string, readonly string[]>;
}

/** Reads the document. Throws `record-invalid`, naming `what`. */
export function parseFilesMetadata(value: JsonValue, what: string): FilesMetadata {
  const o = asObject(value, what);
  const files = new Map<string, FileEntry>();
  for (const [name, entry] of Object.entries(asObject(optionalField(o, 'Files') ?? {}, what))) {
    const fields = asObject(entry, `${what}, ${name}`);
    files.set(name, {
      incremented: optionalBoolean(fields, 'IsIncremented', what) ?? false,
      skipped: optionalBoolean(fields, 'IsSkipped', what) ?? false,
    });
  }
  const tars = new Map<string, readonly string[]>();
  for (const [tar, names] of Object.entries(
    asObject(optionalField(o, 'TarFileSets') ?? {}, what),
  )) {
    tars.set(tar, Array.isArray(names) ? names.map(String) : []);
  }
  return { files, tars };
}
