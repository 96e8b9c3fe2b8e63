/** A lane of a simulation: what `engine/lane.ts` does, with a repository that takes no disk. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Slabs } from '@tsbk/core/lanes/messages';
import { serveLane } from '@tsbk/core/lanes/serve';
import type { ExtractTask } from '@tsbk/core/ports/extract';
import { createPart } from '@tsbk/core/repository/write-object';
import { extractTar } from '@tsbk/core/restore/extract-tar';
import { simulatedRepository, type SimulatedSetup } from './repository.ts';

if (parentPort === null) throw new Error('this is for a worker thread');
const { setup, slabs } = workerData as { readonly setup: SimulatedSetup; readonly slabs: Slabs };
const { repository } = simulatedRepository(setup);

serveLane(parentPort, slabs, {
  tasks: {
    write: ({ key }: { readonly key: string }, { source, signal }) =>
      createPart(repository, { key, source }, { signal }),
    extract: (task: ExtractTask, { signal, batch }) =>
      extractTar(repository, task, { signal, onBatch: batch }),
  },
  close: () => Promise.resolve(),
});
