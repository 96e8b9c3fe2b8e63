/** A lane for tests of threads: its tasks fail, die and hang as they are told. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Slabs } from '@tsbk/core/lanes/messages';
import { serveLane } from '@tsbk/core/lanes/serve';
import { TsbkError } from '@tsbk/core/kernel/errors';

if (parentPort === null) throw new Error('this is for a worker thread');
const { slabs } = workerData as { readonly slabs: Slabs };

serveLane(parentPort, slabs, {
  tasks: {
    count: async (_: unknown, { source, batch }) => {
      let bytes = 0;
      for await (const chunk of source) {
        bytes += chunk.length;
        batch(bytes);
      }
      return bytes;
    },
    exit: () => process.exit(3),
    crash: () => {
      setImmediate(() => {
        throw new RangeError('nobody catches this');
      });
      return new Promise(() => {});
    },
    refuse: () =>
      Promise.reject(
        new TsbkError('store-full', 'no space', {
          hint: 'make some',
          cause: new Error('ENOSPC', { cause: 'the disk' }),
        }),
      ),
    readNothing: (_: unknown, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      }),
  },
  close: () => Promise.resolve(),
});
