import pLimit from 'p-limit';
import { writeFiles } from '../backup/write-files.ts';
import type { Lanes } from '../ports/lanes.ts';
import type { Repository } from '../repository/repository.ts';
import { extractTar } from '../restore/extract-tar.ts';
import { sumFiles } from '../restore/sum-files.ts';
import type { Turnstile } from '../stream/turnstile.ts';
import { inlineWriter } from './inline-writer.ts';

/**
 * Lanes in the calling thread. Compression itself runs in libuv's thread pool where the codec can,
 * so several lanes use several cores; what is left on this thread is framing and the network.
 * `disk` limits the reading of a data directory.
 */
export function inlineLanes(
  repository: Repository,
  width: number,
  { disk }: { readonly disk?: Turnstile | undefined } = {},
): Lanes {
  const limit = pLimit(width);
  return {
    width,
    open: (key, { signal }) => inlineWriter(repository, key, { turn: limit, signal }),
    extract: (task, options) => limit(() => extractTar(repository, task, options)),
    sumFiles: (task, options) => limit(() => sumFiles(task, options)),
    writeFiles: (task, options) =>
      limit(() => writeFiles(repository, task, { ...options, pace: disk })),
    close: () => Promise.resolve(),
  };
}
