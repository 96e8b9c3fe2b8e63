import { walPusher, type PushOne, type PushRequest, type PushResult } from '../archive/push.ts';
import type { LaneThread } from '../lanes/thread.ts';
import type { Report } from '../ports/report.ts';
import type { Repository } from '../repository/repository.ts';
import type { LoadedSettings } from '../settings/load.ts';
import { toPortableSettings } from '../settings/portable.ts';
import type { LaneSetup } from './lane.ts';
import type { OpenedRepository } from './open-repository.ts';

/** Those who store WAL files at the same time. */
export interface Pushers extends AsyncDisposable {
  readonly push: PushOne;
  /** How many files can be under way at once. */
  readonly width: number;
}

/** Files that this thread has under way at once: while one is compressed, the others are sent. */
const HERE_MAX = 4;
/** A judgement, not a measurement, and the server has other uses for its cores. */
const THREADS_MAX = 3;
/** One request for a whole segment of the usual size, which compressed is rarely longer. */
const WAL_PART_BYTES = 17 * 1024 ** 2;

/** In the source tree a file beside this one; in a build the bundle that stands beside this chunk. */
const ENTRY = new URL(
  import.meta.url.endsWith('.ts') ? './push-lane.ts' : './push-lane.mjs',
  import.meta.url,
);

/**
 * Stores WAL files in `repository`: up to four in this thread, those beyond in threads of their own,
 * which begin when there is something for them to do, one less than `TSBK_LANES`.
 */
export function openPushers(
  settings: LoadedSettings,
  repository: OpenedRepository,
  { report }: { readonly report: Report },
): Pushers {
  const { lanes, uploadConcurrency } = settings.config;
  const here = Math.min(HERE_MAX, uploadConcurrency);
  const most = Math.max(0, Math.min(THREADS_MAX, lanes - 1, uploadConcurrency - here));
  const pushHere = pusherFor(repository, settings);
  const { cipherMaterial, limits, failpointCalls } = repository;
  const setup = { settings: toPortableSettings(settings), cipherMaterial, limits, failpointCalls };
  const threads: Promise<LaneThread>[] = [];
  const idle: LaneThread[] = [];
  let atWork = 0;

  const begin = async (): Promise<LaneThread> => {
    // One segment at a time, which is what most commands have to do, needs none.
    const { LaneThread: Thread } = await import('../lanes/thread.ts');
    return new Thread({ entry: ENTRY, setup: setup satisfies LaneSetup, report });
  };
  const threadFor = (): LaneThread | Promise<LaneThread> | undefined => {
    const free = idle.pop();
    if (free !== undefined || threads.length >= most) return free;
    const begun = begin();
    threads.push(begun);
    return begun;
  };
  return {
    width: here + most,
    push: async (request, { signal }) => {
      const promised = atWork < here ? undefined : threadFor();
      if (promised === undefined) {
        atWork += 1;
        return await pushHere(request, { signal }).finally(() => (atWork -= 1));
      }
      const thread = await promised;
      try {
        // What `push-lane.ts` answers to this task; types cannot reach through a port.
        const input = request satisfies PushRequest;
        return (await thread.run({ task: 'push', input, signal })) as PushResult;
      } finally {
        if (thread.isAlive) idle.push(thread);
      }
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(threads.map(async (thread) => await (await thread).close()));
    },
  };
}

/**
 * Stores in this thread. To S3 a segment goes in one request, where nobody has asked for smaller parts,
 * and a listing says which are new; in a directory looking costs less than listing it.
 */
export function pusherFor(repository: Repository, { config, origins }: LoadedSettings): PushOne {
  if (config.filePrefix !== undefined) return walPusher({ ...repository, partBuffers: [] });
  const partBytes =
    origins.s3PartBytes === undefined
      ? Math.max(repository.partBytes, WAL_PART_BYTES)
      : repository.partBytes;
  return walPusher({ ...repository, partBytes, partBuffers: [] }, { lists: true });
}
