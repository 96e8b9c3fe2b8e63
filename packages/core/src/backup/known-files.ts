import type { ErrorCode } from '../kernel/error-codes.ts';
import { isTsbkError, messageOf, type TsbkError } from '../kernel/errors.ts';
import { parseInstant, toInstant } from '../kernel/instant.ts';
import { NameIndexBuilder, numberOf, type NameIndex } from '../kernel/name-index.ts';
import { readManifest } from '../format/manifest.ts';
import type { KnownFile } from '../ports/files.ts';
import { openVerified } from '../repository/open-verified.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { FileSums } from './file-sums.ts';
import { readParentFiles, type KnownFiles, type ParentBackup } from './parent.ts';
import { pathOf } from './source-member.ts';

/** What says that a parent is damaged, so that nothing should be built on it. */
const DAMAGED: readonly ErrorCode[] = [
  'backup-incomplete',
  'object-corrupt',
  'object-missing',
  'record-invalid',
];

/** What a parent has, or what is wrong with its records. */
export async function knownOrProblem(
  repository: Repository,
  parent: Pick<ParentBackup, 'name' | 'manifest'>,
  { signal }: RunOptions,
): Promise<KnownFiles | string> {
  try {
    return await readKnownFiles(repository, parent, { signal });
  } catch (error) {
    if (saysDamaged(error)) return messageOf(error);
    throw error;
  }
}

/** Whether an error of reading a parent's records says that nothing should be built on it. */
export function saysDamaged(error: unknown): error is TsbkError {
  return DAMAGED.some((code) => isTsbkError(error, code));
}

/**
 * Reads what the records of a parent say of its files, in less than a hundred bytes each: `files_metadata.json` which there are and
 * when they were last changed, the manifest, if there is one, lengths and checksums of whole files.
 * Throws `backup-incomplete`, `record-invalid`, and what `openVerified` throws.
 */
async function readKnownFiles(
  repository: Repository,
  parent: Pick<ParentBackup, 'name' | 'manifest'>,
  { signal }: RunOptions,
): Promise<KnownFiles> {
  const times = new FileTimes();
  await readParentFiles(repository, parent, {
    signal,
    // Directories are among them: nobody asks for those.
    onFile: ({ name, modified }) => times.add(name, modified),
  });
  const sums = await readSums(repository, parent.manifest, { signal });
  return {
    of: (path) => {
      const { path: text, rawPath } = pathOf(path);
      if (rawPath !== undefined) return undefined;
      // As the tars of this backup have it, with a slash: WAL-G finds only such in the parent's.
      const known = times.of(`/${text}`);
      return known && { ...known, sum: sums.of(text) };
    },
  };
}

/** Of the whole files: an increment's line has a name of its own. */
async function readSums(
  repository: Repository,
  manifest: ParentBackup['manifest'],
  { signal }: RunOptions,
): Promise<FileSums> {
  const sums = new FileSums();
  // A key that can only write cannot read what it wrote either.
  if (manifest === undefined || repository.cipher.unreadable !== undefined) return sums;
  await readManifest(await openVerified(repository, manifest, { signal }), {
    what: manifest.key,
    onFile: ({ path, rawPath, bytes, checksumAlgorithm, checksum }) => {
      if (rawPath !== undefined || checksumAlgorithm !== 'CRC32C') return;
      sums.add(path, { bytes, crc: Buffer.from(checksum, 'hex').readUInt32LE() });
    },
  });
  return sums;
}

const FIRST_CAPACITY = 1024;
/** No file is so old: its record has no time. */
const NO_TIME = -(2n ** 63n);

class FileTimes {
  readonly #names = new NameIndexBuilder();
  #index: NameIndex | undefined;
  #modified = new BigInt64Array(FIRST_CAPACITY);

  add(name: string, modified: string | undefined): void {
    const number = this.#names.add(name);
    if (number >= this.#modified.length) {
      const larger = new BigInt64Array(2 * this.#modified.length);
      larger.set(this.#modified);
      this.#modified = larger;
    }
    this.#modified[number] = parseInstant(modified ?? '') ?? NO_TIME;
  }

  /** Once all have been added. */
  of(name: string): Pick<KnownFile, 'modified'> | undefined {
    this.#index ??= this.#names.index();
    const number = numberOf(this.#index, name);
    if (number === undefined) return undefined;
    const modified = this.#modified[number] ?? NO_TIME;
    return { modified: modified === NO_TIME ? undefined : toInstant(modified) };
  }
}
