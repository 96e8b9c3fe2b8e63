/**
 * What a lane's worker thread runs: builds store, codec and cipher from plain settings, then does
 * what it is told. The second place, beside `engine/open-*`, that puts parts together.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { writeFiles } from '../backup/write-files.ts';
import type { CipherMaterial } from '../cipher/cipher-from.ts';
import type { LaneWord, Slabs } from '../lanes/messages.ts';
import { serveLane } from '../lanes/serve.ts';
import type { ExtractTask, SumTask } from '../ports/extract.ts';
import type { FilesTask } from '../ports/files.ts';
import { createPart } from '../repository/write-object.ts';
import { extractTar } from '../restore/extract-tar.ts';
import { sumFiles } from '../restore/sum-files.ts';
import { fromPortableSettings, type PortableSettings } from '../settings/portable.ts';
import { openRepository } from './open-repository.ts';
import { diskPace, type RateLimits } from './rate-limits.ts';

/** What the calling thread hands to a lane. It holds keys. */
export interface LaneSetup {
  readonly settings: PortableSettings;
  readonly cipherMaterial: CipherMaterial;
  readonly limits: RateLimits;
  readonly failpointCalls: SharedArrayBuffer;
}

const port = parentPort;
if (port === null) throw new Error('a lane runs in a worker thread');
// What `threadLanes` was given by `openLanes`.
const { setup, slabs } = workerData as { readonly setup: LaneSetup; readonly slabs: Slabs };
const { settings, ...shared } = setup;

const repository = await openRepository(fromPortableSettings(settings), {
  ...shared,
  // The keys are known, so there is nothing to wait for.
  signal: new AbortController().signal,
  report: (event) => port.postMessage({ kind: 'report', event } satisfies LaneWord),
});

serveLane(port, slabs, {
  tasks: {
    write: ({ key }: { readonly key: string }, { source, signal }) =>
      createPart(repository, { key, source }, { signal }),
    extract: (task: ExtractTask, { signal, batch }) =>
      extractTar(repository, task, { signal, onBatch: batch }),
    'sum-files': (task: SumTask, { signal }) => sumFiles(task, { signal }),
    'write-files': (task: FilesTask, { signal, batch }) =>
      writeFiles(repository, task, { signal, onBatch: batch, pace: diskPace(setup.limits) }),
  },
  close: async () => await repository[Symbol.asyncDispose](),
});
