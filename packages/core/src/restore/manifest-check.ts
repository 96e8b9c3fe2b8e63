import type { ChecksumAlgorithm } from '../kernel/checksum-algorithm.ts';
import { TsbkError } from '../kernel/errors.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import { readManifest, type ManifestFile } from '../format/manifest.ts';
import type { FileSum, PromisedObject } from '../ports/extract.ts';
import { openVerified } from '../repository/open-verified.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { printable, treePath } from '../cluster/tree-path.ts';

/** What PostgreSQL's manifest says of the files of a backup, held against what is restored. */
export interface ManifestCheck {
  /** What all files are summed by. */
  readonly algorithm: ChecksumAlgorithm;
  /**
   * Throws `object-corrupt` if length or checksum of a file are not the manifest's. One that it does
   * not list, or that has been here before, passes.
   */
  compare(path: TreePath, found: FileSum): void;
  /** Whether the manifest lists the file and it has not come. */
  awaits(path: TreePath): boolean;
  /** A file of the manifest that has not come; `undefined` when all have. */
  missing(): string | undefined;
}

type Expected = Pick<ManifestFile, 'bytes' | 'checksum'>;

/** Reads a backup's manifest. Throws `record-invalid` and what `openVerified` throws. */
export async function readManifestCheck(
  repository: Repository,
  manifest: PromisedObject,
  { signal }: RunOptions,
): Promise<ManifestCheck> {
  const expected = new Map<TreePath, Expected>();
  const algorithms = new Set<ChecksumAlgorithm>();
  const source = await openVerified(repository, manifest, { signal });
  await readManifest(source, {
    what: manifest.key,
    onFile: ({ path, rawPath, bytes, checksum, checksumAlgorithm }) => {
      algorithms.add(checksumAlgorithm);
      expected.set(treePath(path, rawPath), { bytes, checksum });
    },
  });
  const [algorithm = 'NONE', ...others] = algorithms;
  if (others.length > 0) throw mixed(manifest.key, [algorithm, ...others]);
  return {
    algorithm,
    compare: (path, found) => {
      const wanted = expected.get(path);
      expected.delete(path);
      if (wanted !== undefined) compare(path, wanted, found);
    },
    awaits: (path) => expected.has(path),
    missing: () => {
      const [path] = expected.keys();
      return path === undefined ? undefined : printable(path);
    },
  };
}

function compare(path: TreePath, wanted: Expected, found: FileSum): void {
  if (found.bytes !== wanted.bytes) {
    throw differs(path, `has ${found.bytes} bytes, the manifest says ${wanted.bytes}`);
  }
  if (found.checksum !== wanted.checksum) {
    throw differs(path, 'has another checksum than in the manifest');
  }
}

function differs(path: TreePath, problem: string): TsbkError {
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
