import type { TreePath } from '../kernel/tree-path.ts';
import type { TreePlace } from '../ports/extract.ts';
import type { Lanes } from '../ports/lanes.ts';
import type { RunOptions } from '../repository/repository.ts';
import { mapParallel } from '../stream/parallel.ts';
import type { BuiltFiles } from '../repository/chain/complete-manifest.ts';
import type { Extracted } from './extract.ts';

/** Files that a lane reads in a row: a segment of a relation has 1 GiB. */
const FILES_AT_ONCE = 4;

/** The files that a restore has put together from pages, which lanes read again, several at once. */
export function builtFiles(
  restored: { readonly lanes: Lanes; readonly place: TreePlace; readonly extracted: Extracted },
  { signal }: RunOptions,
): BuiltFiles {
  const { lanes, place, extracted } = restored;
  const { attendance, algorithm: checksum } = extracted;
  return {
    isBuilt: (path) => attendance?.isBuilt(path) === true,
    sum: async (paths) => {
      const tasks: (readonly TreePath[])[] = [];
      for (let at = 0; at < paths.length; at += FILES_AT_ONCE) {
        tasks.push(paths.slice(at, at + FILES_AT_ONCE));
      }
      const sums = await mapParallel(tasks, { width: lanes.width, signal }, (some, both) =>
        lanes.sumFiles({ place, paths: some, checksum }, { signal: both }),
      );
      return sums.flat();
    },
  };
}
