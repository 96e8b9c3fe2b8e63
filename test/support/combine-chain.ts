import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readTar, type TarEntry } from './read-tar.ts';

/** What `files_metadata.json` says of a file. */
export interface ListedEntry {
  readonly IsIncremented: boolean;
  readonly IsSkipped: boolean;
  readonly MTime: string;
}

const PAGE_BYTES = 8192;
const ALWAYS = new Set(['/global/pg_control', 'backup_label', 'tablespace_map']);

/** The files that a backup lists, by name. */
export function listedFiles(root: string, backup: string): ReadonlyMap<string, ListedEntry> {
  const text = readFileSync(join(root, 'basebackups_005', backup, 'files_metadata.json'), 'utf8');
  const { Files } = JSON.parse(text) as { readonly Files: Record<string, ListedEntry> };
  return new Map(Object.entries(Files));
}

/** Members of all tars of a backup in a directory that was stored uncompressed. */
export function membersOf(root: string, backup: string): readonly TarEntry[] {
  const folder = join(root, 'basebackups_005', backup, 'tar_partitions');
  return readdirSync(folder).flatMap((tar) => readTar(join(folder, tar)));
}

/**
 * Puts a chain of backups together by the rules of WAL-G's default restore, with nothing of tsbk's:
 * oldest first, of each backup what the newer ones say they took from it. `chain` is newest first;
 * `links` are the directories of tablespaces by OID.
 */
export function combineChain(
  root: string,
  chain: readonly string[],
  {
    directory,
    links = {},
  }: { readonly directory: string; readonly links?: Record<string, string> },
): void {
  const [newest = ''] = chain;
  const wanted: (readonly [string, ReadonlySet<string>])[] = [];
  let names = new Set([...listedFiles(root, newest).keys(), ...ALWAYS]);
  for (const backup of chain) {
    wanted.push([backup, names]);
    const listed = listedFiles(root, backup);
    names = new Set(
      [...names].filter((name) => {
        const entry = listed.get(name);
        if (entry === undefined && !ALWAYS.has(name)) throw new Error(`${backup} lacks ${name}`);
        return entry?.IsSkipped === true || entry?.IsIncremented === true;
      }),
    );
  }
  mkdirSync(join(directory, 'pg_tblspc'), { recursive: true, mode: 0o700 });
  for (const [oid, place] of Object.entries(links)) {
    mkdirSync(place, { recursive: true, mode: 0o700 });
    symlinkSync(place, join(directory, 'pg_tblspc', oid));
  }
  for (const [backup, files] of wanted.toReversed()) place(root, backup, { files, directory });
}

function place(
  root: string,
  backup: string,
  { files, directory }: { readonly files: ReadonlySet<string>; readonly directory: string },
): void {
  const listed = listedFiles(root, backup);
  for (const { name, type, mode, content } of membersOf(root, backup)) {
    if (!files.has(name)) continue;
    const path = join(directory, name);
    if (type === '5') {
      mkdirSync(path, { recursive: true, mode });
      continue;
    }
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const isIncrement = listed.get(name)?.IsIncremented === true;
    writeFileSync(path, isIncrement ? applied(readFileSync(path), content) : content, { mode });
  }
}

/** A file of an older backup with an increment on top. */
export function applied(older: Buffer, increment: Buffer): Buffer {
  if (increment.toString('latin1', 0, 4) !== 'wi1U') throw new Error('no increment');
  const file = Buffer.alloc(Number(increment.readBigUInt64LE(4)));
  older.copy(file, 0, 0, Math.min(older.length, file.length));
  const pages = increment.readUInt32LE(12);
  if (increment.length !== 16 + pages * (4 + PAGE_BYTES)) throw new Error('a wrong length');
  for (let index = 0; index < pages; index += 1) {
    const block = increment.readUInt32LE(16 + 4 * index);
    const at = 16 + 4 * pages + index * PAGE_BYTES;
    increment.copy(file, block * PAGE_BYTES, at, at + PAGE_BYTES);
  }
  return file;
}
