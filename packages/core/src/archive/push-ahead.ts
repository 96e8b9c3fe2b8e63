import { dirname, join } from 'node:path';
import { messageOf } from '../kernel/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Report } from '../ports/report.ts';
import type { RunOptions } from '../repository/repository.ts';
import type { PushMemory } from './push-memory.ts';
import type { PushOne, PushRequest, PushResult } from './push.ts';
import { readyFiles } from './ready-files.ts';

export interface PushAheadRequest extends PushRequest {
  /** How many further files one call pushes at most. */
  readonly ahead: number;
  /** How many files are under way at the same time, the asked one among them. */
  readonly width: number;
}

export interface PushAheadContext {
  readonly push: PushOne;
  readonly clock: Clock;
  readonly report: Report;
  /** Without it nothing is pushed ahead: nobody could make use of it. */
  readonly memory: PushMemory | undefined;
}

/** No further file is begun so long after the call began: the archiver waits for the answer. */
const BEGIN_WITHIN_MS = 20_000;
/** After so many failures it is not the files that are at fault. */
const FAILURES_MAX = 3;

/**
 * Archives the asked file as `pushWal` does, and others that PostgreSQL will ask for next, which are
 * remembered when they are durable. What comes of those has no part in the answer: a failure is
 * told and nothing else, and PostgreSQL's own marks are only read. If the asked file fails, or the
 * signal aborts, all stop. Throws what pushing the asked file throws.
 */
export async function pushAhead(
  request: PushAheadRequest,
  context: PushAheadContext,
  { signal }: RunOptions,
): Promise<PushResult> {
  const { memory } = context;
  if (memory === undefined || request.ahead === 0) return await context.push(request, { signal });
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const queue = new AheadQueue(request, { ...context, memory });
  const company = Array.from({ length: request.width - 1 }, () => queue.work(both));
  try {
    const result = await context.push(request, { signal });
    await memory.remember(result);
    // The place of the asked file is free now.
    company.push(queue.work(both));
    await Promise.all(company);
    await memory.prune();
    return result;
  } catch (error) {
    stop.abort(error);
    throw error;
  } finally {
    await Promise.all(company);
    queue.tellFailures();
  }
}

/** The files to push ahead, which several workers take from. */
class AheadQueue {
  readonly #request: PushAheadRequest;
  readonly #context: PushAheadContext & { readonly memory: PushMemory };
  readonly #startMs: number;
  readonly #failures: { readonly path: string; readonly error: unknown }[] = [];
  #paths: Promise<string[]> | undefined;

  constructor(
    request: PushAheadRequest,
    context: PushAheadContext & { readonly memory: PushMemory },
  ) {
    this.#request = request;
    this.#context = context;
    this.#startMs = context.clock.monotonicMs();
  }

  /** Pushes one after the other until there is nothing left or no time for it. Never throws. */
  async work(signal: AbortSignal): Promise<void> {
    const { push, memory, clock } = this.#context;
    const { serverSystemId } = this.#request;
    const paths = await (this.#paths ??= this.#find());
    while (!signal.aborted && this.#failures.length < FAILURES_MAX) {
      if (clock.monotonicMs() - this.#startMs > BEGIN_WITHIN_MS) return;
      const path = paths.shift();
      if (path === undefined) return;
      try {
        await memory.remember(await push({ path, serverSystemId }, { signal }));
      } catch (error) {
        if (!signal.aborted) this.#failures.push({ path, error });
      }
    }
  }

  /** PostgreSQL will ask for these again, and be told all that there is to tell. */
  tellFailures(): void {
    const [first, ...others] = this.#failures;
    if (first === undefined) return;
    const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
    const text = `could not push ahead ${first.path}${more}: ${messageOf(first.error)}`;
    this.#context.report({ kind: 'warning', code: 'push-ahead', text });
  }

  async #find(): Promise<string[]> {
    const { path: asked, ahead } = this.#request;
    const directory = dirname(asked);
    const known = await this.#context.memory.names();
    const files = await readyFiles(directory, ahead + known.size + 1);
    const paths = files
      .filter(({ name }) => !known.has(name))
      .map(({ name }) => join(directory, name));
    return paths.filter((path) => path !== join(asked)).slice(0, ahead);
  }
}
