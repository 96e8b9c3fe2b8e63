import type { TreePath } from '../kernel/tree-path.ts';
import type { FileSum, TreePlace } from '../ports/extract.ts';
import type { Lanes } from '../ports/lanes.ts';
import type { RunOptions } from '../repository/repository.ts';
import { mapParallel } from '../stream/parallel.ts';
import type { BuiltFiles } from '../repository/chain/complete-manifest.ts';
import type { Extracted } from './extract.ts';

/** Files that a lane reads in a row: a segment of a relation has 1 GiB. */
const FILES_AT_ONCE = 4;

interface RestoredFiles {
  readonly lanes: Lanes;
  readonly place: TreePlace;
  readonly extracted: Extracted;
}

/**
 * The files that a restore has put together from pages. Those whose sum did not come out of that are
 * read again, by lanes, several at once.
 */
export function builtFiles(restored: RestoredFiles, { signal }: RunOptions): BuiltFiles {
  const { attendance } = restored.extracted;
  return {
    isBuilt: (path) => attendance?.isBuilt(path) === true,
    sum: async (paths) => {
      const sums = new Map<TreePath, FileSum>();
      for (const path of paths) {
        const sum = attendance?.sumOf(path);
        if (sum !== undefined) sums.set(path, sum);
      }
      const unknown = paths.filter((path) => !sums.has(path));
      const read = await readAgain(restored, unknown, signal);
      return new Map([...sums, ...read]);
    },
  };
}

async function readAgain(
  { lanes, place, extracted: { algorithm: checksum } }: RestoredFiles,
  paths: readonly TreePath[],
  signal: AbortSignal,
): Promise<[TreePath, FileSum][]> {
  const tasks: (readonly TreePath[])[] = [];
  for (let at = 0; at < paths.length; at += FILES_AT_ONCE) {
    tasks.push(paths.slice(at, at + FILES_AT_ONCE));
  }
  const sums = await mapParallel(tasks, { width: lanes.width, signal }, async (some, both) => {
    const found = await lanes.sumFiles({ place, paths: some, checksum }, { signal: both });
    return found.map((sum, index): [TreePath, FileSum] => [some[index] as TreePath, sum]);
  });
  return sums.flat();
}
