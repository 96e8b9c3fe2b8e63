import type { ChecksumAlgorithm } from '../../kernel/checksum-algorithm.ts';
import { TsbkError } from '../../kernel/errors.ts';
import type { NameIndex } from '../../kernel/name-index.ts';
import type { TreePath } from '../../kernel/tree-path.ts';
import { incrementalTarget } from '../../format/increment/pg-incremental.ts';
import { readManifest, type ManifestFile } from '../../format/manifest.ts';
import type { FileSum, PromisedObject } from '../../ports/extract.ts';
import { openVerified } from '../open-verified.ts';
import type { Repository, RunOptions } from '../repository.ts';
import { printable, treePath } from '../../format/tree-path.ts';
import { ExpectedSums } from './expected-sums.ts';
import { isWanted, type Selection } from './selection.ts';

/** What PostgreSQL's manifest says of the files of a backup, held against what is restored. */
export interface ManifestCheck {
  /** What all files are summed by. */
  readonly algorithm: ChecksumAlgorithm;
  /** It lists files whose names are not UTF-8, which no JSON record can. */
  readonly hasRawNames: boolean;
  /** Length of a file that has not come; -1 if the manifest knows only an increment of it. */
  bytesOf(path: TreePath): number | undefined;
  /** Whether a file that has not come has this length and checksum. */
  isSame(path: TreePath, found: FileSum): boolean;
  /**
   * Throws `object-corrupt` if length or checksum of a file are not the manifest's. One that it does
   * not list, or that has been here before, passes.
   */
  compare(path: TreePath, found: FileSum): void;
  /** The file has come, in pieces: it is compared when its manifest is written. */
  take(path: TreePath): void;
  /** Whether the manifest lists the file and it has not come. */
  awaits(path: TreePath): boolean;
  /** A file of the manifest that has not come; `undefined` when all have. Reads it once more. */
  missing(): Promise<string | undefined>;
}

/** Stands for the length of a file of which the manifest knows only an increment. */
const UNKNOWN_BYTES = -1;

interface ManifestToCheck {
  readonly manifest: PromisedObject;
  readonly isDelta: boolean;
  /** Of the roll, if there is one: most paths of the manifest are among them. */
  readonly names: NameIndex | undefined;
}

/**
 * Reads what a backup's manifest says of the selected files. That of a delta has lines of PostgreSQL's incremental files: what is
 * restored in their place it cannot say. Throws `record-invalid` and what `openVerified` throws.
 */
export async function readManifestCheck(
  repository: Repository,
  { manifest, isDelta, names }: ManifestToCheck,
  { selection, signal }: RunOptions & { readonly selection: Selection | undefined },
): Promise<ManifestCheck> {
  const expected = new ExpectedSums(names);
  const algorithms = new Set<ChecksumAlgorithm>();
  const read = async (onFile: (path: TreePath, file: ManifestFile) => void): Promise<void> => {
    const source = await openVerified(repository, manifest, { signal });
    await readManifest(source, {
      what: manifest.key,
      onFile: (file) => {
        const target = isDelta ? incrementalTarget(file.path) : undefined;
        if (selection !== undefined && !isWanted(selection, target ?? file.path)) return;
        if (target === undefined) return onFile(treePath(file.path, file.rawPath), file);
        onFile(treePath(target), { ...file, bytes: UNKNOWN_BYTES });
      },
    });
  };
  let hasRawNames = false;
  await read((path, file) => {
    hasRawNames ||= file.rawPath !== undefined;
    algorithms.add(file.checksumAlgorithm);
    expected.add(path, file);
  });
  const [algorithm = 'NONE', ...others] = algorithms;
  if (others.length > 0) throw mixed(manifest.key, [algorithm, ...others]);
  return {
    algorithm,
    hasRawNames,
    bytesOf: (path) => {
      const number = expected.numberOf(path);
      return number === undefined ? undefined : expected.bytesOf(number);
    },
    isSame: (path, { bytes, checksum }) => {
      const number = expected.numberOf(path);
      if (number === undefined || expected.bytesOf(number) !== bytes) return false;
      return expected.hasChecksum(number, checksum);
    },
    compare: (path, found) => {
      const number = expected.take(path);
      if (number !== undefined) compare(path, found, { expected, number });
    },
    take: (path) => void expected.take(path),
    awaits: (path) => expected.numberOf(path) !== undefined,
    missing: async () => {
      if (expected.left === 0) return undefined;
      let first: TreePath | undefined;
      await read((path) => {
        if (expected.numberOf(path) !== undefined) first ??= path;
      });
      return printable(first ?? treePath('what the manifest lists'));
    },
  };
}

function compare(
  path: TreePath,
  found: FileSum,
  { expected, number }: { readonly expected: ExpectedSums; readonly number: number },
): void {
  const bytes = expected.bytesOf(number);
  if (bytes === UNKNOWN_BYTES) return;
  if (found.bytes !== bytes) {
    throw differs(path, `has ${found.bytes} bytes, the manifest says ${bytes}`);
  }
  if (!expected.hasChecksum(number, found.checksum)) {
    throw differs(path, 'has another checksum than in the manifest');
  }
}

/** A file is not what the manifest of its backup says. */
export function differs(path: TreePath, problem: string): TsbkError {
  return new TsbkError('object-corrupt', `${printable(path)} in the backup ${problem}`, {
    hint: 'The backup is damaged. Choose another one.',
  });
}

/** No server writes such a one, and no lane could tell which sum to make of a file. */
function mixed(key: string, algorithms: readonly ChecksumAlgorithm[]): TsbkError {
  return new TsbkError('record-invalid', `${key} mixes checksums: ${algorithms.join(', ')}`, {
    hint: 'PostgreSQL sums all files of a backup by one algorithm. Find out who wrote this manifest.',
  });
}
