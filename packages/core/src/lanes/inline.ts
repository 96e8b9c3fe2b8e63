import pLimit from 'p-limit';
import type { Lanes } from '../ports/lanes.ts';
import type { Repository } from '../repository/repository.ts';
import { createPart } from '../repository/write-object.ts';
import { extractTar } from '../restore/extract-tar.ts';

/**
 * Lanes in the calling thread. Compression itself runs in libuv's thread pool where the codec can,
 * so several lanes use several cores; what is left on this thread is framing and the network.
 */
export function inlineLanes(repository: Repository, width: number): Lanes {
  const limit = pLimit(width);
  return {
    width,
    write: (task, { signal }) => limit(() => createPart(repository, task, { signal })),
    extract: (task, options) => limit(() => extractTar(repository, task, options)),
    close: () => Promise.resolve(),
  };
}
