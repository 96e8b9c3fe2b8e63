import pLimit from 'p-limit';
import type { FilesBatch } from '../ports/files.ts';
import type { ExtractBatch, ExtractReceipt, FileSum } from '../ports/extract.ts';
import type { Lanes, Receipt } from '../ports/lanes.ts';
import { SlabWriter } from './slab-writer.ts';
import { LaneThread, type LaneRun, type LaneThreadOptions } from './thread.ts';

/**
 * Lanes in worker threads. So many of them start at once, because loading their code takes about as
 * long as what goes before the first task, and the others when there is something for them. A task runs in one thread from raw bytes to stored object; only
 * its receipt comes back. A thread that dies fails the task it was at; the next task gets a new one.
 */
export function threadLanes(
  options: LaneThreadOptions & { readonly width: number; readonly atOnce?: number | undefined },
): Lanes {
  const limit = pLimit(options.width);
  const threads = new Set<LaneThread>();
  const idle: LaneThread[] = [];

  const startThread = (): LaneThread => {
    const thread = new LaneThread(options);
    threads.add(thread);
    return thread;
  };
  const atOnce = Math.min(options.width, options.atOnce ?? options.width);
  for (let i = 0; i < atOnce; i += 1) idle.push(startThread());
  const run = (task: LaneRun): Promise<unknown> =>
    limit(async () => {
      task.signal.throwIfAborted();
      const thread = idle.pop() ?? startThread();
      try {
        return await thread.run(task);
      } finally {
        if (thread.isAlive) idle.push(thread);
        else threads.delete(thread);
      }
    });

  return {
    width: options.width,
    open: (key, { signal }) => {
      const stop = new AbortController();
      const either = AbortSignal.any([signal, stop.signal]);
      return new SlabWriter(
        async (writer) =>
          // What the worker's entry gives back for this task.
          (await run({ task: 'write', input: { key }, writer, signal: either })) as Receipt,
        (error) => stop.abort(error),
      );
    },
    extract: async (task, { signal, onBatch }) =>
      // And for this one.
      (await run({
        task: 'extract',
        input: task,
        signal,
        onBatch: (batch) => onBatch(batch as ExtractBatch),
      })) as ExtractReceipt,
    sumFiles: async (task, { signal }) =>
      (await run({ task: 'sum-files', input: task, signal })) as readonly FileSum[],
    writeFiles: async (task, { signal, onBatch }) =>
      (await run({
        task: 'write-files',
        input: task,
        signal,
        onBatch: (batch) => onBatch(batch as FilesBatch),
      })) as Receipt,
    close: async () => {
      await Promise.all([...threads].map((thread) => thread.close()));
      threads.clear();
    },
  };
}
