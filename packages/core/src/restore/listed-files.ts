import type { NameIndex } from '../kernel/name-index.ts';
import { indexFiles, readFilesMetadata } from '../repository/files-metadata.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { AwaitedNames } from './awaited-names.ts';
import type { RestorePlan } from './plan.ts';

/** What WAL-G's records list of a backup, held against what comes out of its tars. */
export interface ListedFiles {
  readonly names: NameIndex;
  /** A name, as in the tar, has come. */
  arrived(name: string): void;
  /** Whether a name is listed and has not come. */
  awaits(name: string): boolean;
  /** A listed name that has not come; `undefined` when all have. Reads the records once more. */
  missing(): Promise<string | undefined>;
}

/** Reads the names; `undefined` if nothing is listed. Throws `record-invalid`. */
export async function readListedFiles(
  repository: Repository,
  { backup, files }: Pick<RestorePlan, 'backup' | 'files'>,
  { signal }: RunOptions,
): Promise<ListedFiles | undefined> {
  if (files === undefined) return undefined;
  const names = await indexFiles(repository, backup.name, { signal });
  if (names === undefined) return undefined;
  const awaited = new AwaitedNames(names);
  return {
    names,
    arrived: (name) => void awaited.take(name),
    awaits: (name) => awaited.numberOf(name) !== undefined,
    missing: async () => {
      if (awaited.left === 0) return undefined;
      let first: string | undefined;
      const onFile = ({ name }: { readonly name: string }): void => {
        if (awaited.numberOf(name) !== undefined) first ??= name;
      };
      await readFilesMetadata(repository, backup.name, { signal, onFile });
      return first ?? 'what its records listed when the restore began';
    },
  };
}
