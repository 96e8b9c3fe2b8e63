/** What a thread of `open-pushers.ts` runs: stores whole WAL files, one at a time. */
import { parentPort, workerData } from 'node:worker_threads';
import type { PushRequest } from '../archive/push.ts';
import type { LaneWord, Slabs } from '../lanes/messages.ts';
import { serveLane } from '../lanes/serve.ts';
import { fromPortableSettings } from '../settings/portable.ts';
import type { LaneSetup } from './lane.ts';
import { openRepository } from './open-repository.ts';
import { pusherFor } from './open-pushers.ts';

const port = parentPort;
if (port === null) throw new Error('a lane runs in a worker thread');
// What `openPushers` gave to `LaneThread`.
const { setup, slabs } = workerData as { readonly setup: LaneSetup; readonly slabs: Slabs };
const { settings: portable, ...shared } = setup;
const settings = fromPortableSettings(portable);

const repository = await openRepository(settings, {
  ...shared,
  signal: new AbortController().signal,
  retryBudgetMs: settings.config.pushTimeoutMs,
  report: (event) => port.postMessage({ kind: 'report', event } satisfies LaneWord),
});
const push = pusherFor(repository, settings);

serveLane(port, slabs, {
  tasks: { push: (request: PushRequest, { signal }) => push(request, { signal }) },
  close: async () => await repository[Symbol.asyncDispose](),
});
