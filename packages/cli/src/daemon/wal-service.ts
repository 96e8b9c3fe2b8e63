import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { getWal, type GetOutcome } from '@tsbk/core/archive/get';
import type { PushResult } from '@tsbk/core/archive/push';
import { openPushMemory, type PushMemory } from '@tsbk/core/archive/push-memory';
import type { Asked } from '@tsbk/core/archive/push-record';
import { stateDirectoryOf } from '@tsbk/core/cluster/state-directory';
import { systemIdOfDataDirectory } from '@tsbk/core/cluster/system-id';
import { readWalMark } from '@tsbk/core/cluster/wal-mark';
import { GRACE_MS } from '@tsbk/core/engine/command-process';
import { withGrace } from '@tsbk/core/engine/grace';
import { TsbkError } from '@tsbk/core/kernel/errors';
import type { Clock } from '@tsbk/core/ports/clock';
import type { Report } from '@tsbk/core/ports/report';
import type { LoadedSettings } from '@tsbk/core/settings/load';
import { LookAhead } from './look-ahead.ts';
import type { Metrics } from './metrics.ts';
import { SharedRuns } from './shared-runs.ts';
import type { Site, Sites } from './site.ts';
import { walPath } from './wal-paths.ts';

/** More than any site has pushers. One that is asked for finds a place beside those pushed ahead. */
const PUSHES_AT_ONCE = 16;
const GETS_AT_ONCE = 8;
/**
 * How long a command whose launcher can answer from memory waits for what is pushed ahead: of a backlog
 * its next calls then start no program. `curl` has no launcher, and is answered at once.
 */
const ANSWER_WITHIN_MS = 5000;
/** After so many pushes the memory of the commands is looked through for what is old. */
const PRUNE_EVERY = 64;
/** Beyond that, requests are refused. */
const RUNS_MAX = 64;
/** See `restore-command`: a standby asks again by itself and must not be kept waiting. */
const STANDBY_PATIENCE_MS = 2000;
/** For a file that comes slowly, and does come. */
const GET_EXTRA_MS = 600_000;

interface ServiceOptions {
  /** Absolute. */
  readonly dataDir: string;
  readonly sites: Sites;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly report: Report;
  /** Hears of what nobody asked for and failed. */
  readonly failed: (what: string, error: unknown) => void;
}

type Pushed = Pick<PushResult, 'name' | 'outcome'>;

/** What is known of who asks. */
export interface Asker {
  /** What its launcher may answer to. */
  readonly asked?: Asked | undefined;
  /** The archive that it means; the one that is set now if it has not said. */
  readonly site?: Site | undefined;
}

/**
 * What the daemon does, however it is asked: the use-cases of the commands, in the server's data
 * directory, shared, bounded and counted.
 */
export class WalService {
  readonly #options: ServiceOptions;
  readonly #pushes = new SharedRuns<Pushed>({ width: PUSHES_AT_ONCE, most: RUNS_MAX });
  readonly #gets = new SharedRuns<GetOutcome>({ width: GETS_AT_ONCE, most: RUNS_MAX });
  readonly #ahead: LookAhead;
  #stopping = false;
  #idle: (() => void) | undefined;
  #remembered = 0;
  #asks = 0;
  #asked: { readonly by: Asked; readonly place: string } | undefined;

  constructor(options: ServiceOptions) {
    this.#options = options;
    const { sites } = options;
    this.#ahead = new LookAhead({
      ...options,
      width: () => Math.min(sites.current.forPush.width, PUSHES_AT_ONCE - 1),
      most: () => sites.current.settings.config.pushAhead,
      push: (path, signal) => this.#pushOnce(path, sites.current, signal),
    });
  }

  get isStopping(): boolean {
    return this.#stopping;
  }

  /** How many files are being worked at, by those who ask. */
  get underWay(): { readonly pushes: number; readonly gets: number } {
    return { pushes: this.#pushes.size, gets: this.#gets.size };
  }

  /**
   * Archives a file of `pg_wal`, and others that are ready after it. Resolves when it is durable;
   * throws what `pushWal` throws. `asked` is what the launcher of the command that asks may answer to by
   * itself from then on.
   */
  async push(given: string, signal: AbortSignal, by: Asker = {}): Promise<Pushed> {
    this.#mustRun();
    const { dataDir, sites } = this.#options;
    const { asked, site = sites.current } = by;
    if (asked !== undefined) this.#asked = { by: asked, place: site.place };
    const path = await walPath(dataDir, given);
    // With 0 nothing is remembered, and whoever says so wants it looked at.
    const mayRecall = site.settings.config.pushAhead > 0;
    const isKnown = mayRecall && (await this.#ahead.recalls(path, site.place));
    const result: Pushed = isKnown
      ? { name: basename(path), outcome: 'stored' }
      : await this.#pushOnce(path, site, signal);
    this.#ahead.wake();
    if (asked !== undefined) await this.#ahead.caughtUp(ANSWER_WITHIN_MS, signal);
    return result;
  }

  async #pushOnce(path: string, site: Site, signal: AbortSignal): Promise<Pushed> {
    const { dataDir, sites, metrics, clock } = this.#options;
    const { settings, place, forPush, mark } = site;
    const work = async (stop: AbortSignal): Promise<Pushed> => {
      const begun = clock.monotonicMs();
      try {
        const { pushTimeoutMs } = settings.config;
        const seen = await this.#ahead.look(path);
        const memory = await this.#memoryFor(settings, place);
        const bytes = (await stat(path).catch(() => undefined))?.size ?? 0;
        const result = await within(pushTimeoutMs, stop, async (limit) => {
          const serverSystemId = await systemIdOfDataDirectory(dataDir);
          return await forPush.push({ path, serverSystemId }, { signal: limit });
        });
        await this.#ahead.remember(path, seen, place);
        await memory?.remember(result);
        this.#remembered += 1;
        if (this.#remembered % PRUNE_EVERY === 0) await memory?.prune();
        metrics.pushed(result.outcome, { bytes, ms: clock.monotonicMs() - begun });
        return result;
      } catch (error) {
        metrics.pushFailed(error);
        throw error;
      }
    };
    const joined = sites.hold(site, async () =>
      this.#pushes.join(`${mark} ${path} ${await this.#fileNow(path)}`, signal, work),
    );
    return await this.#counted(joined);
  }

  /**
   * Names a file as it is now, so that nobody who asks for another one under its name is answered by what
   * became of this one. A file too fresh to be known by its attributes gets a name for each who asks.
   */
  async #fileNow(path: string): Promise<string> {
    this.#asks += 1;
    return (await this.#ahead.look(path)) ?? `ask ${this.#asks}`;
  }

  /**
   * Where the launchers of the commands look. Opened before each push, because a record says that the
   * file was older than the opening; `undefined` where no command would look, or none can.
   */
  async #memoryFor({ config }: LoadedSettings, place: string): Promise<PushMemory | undefined> {
    const { dataDir, clock } = this.#options;
    if (this.#asked?.place !== place || config.pushAhead === 0) return undefined;
    const stateDirectory = stateDirectoryOf(dataDir, config.stateDirectory);
    const options = { stateDirectory, place, asked: this.#asked.by, clock };
    return await openPushMemory(options).catch(() => undefined);
  }

  /** Fetches a file to a place in `pg_wal`; throws what `getWal` throws. */
  async get(
    name: string,
    given: string,
    signal: AbortSignal,
    by: Pick<Asker, 'site'> = {},
  ): Promise<GetOutcome> {
    this.#mustRun();
    const { dataDir, sites, metrics, clock } = this.#options;
    const { site = sites.current } = by;
    const destination = await walPath(dataDir, given);
    const work = async (stop: AbortSignal): Promise<GetOutcome> => {
      const begun = clock.monotonicMs();
      try {
        const outcome = await this.#fetch(site, { name, destination }, stop);
        metrics.got(outcome, clock.monotonicMs() - begun);
        return outcome;
      } catch (error) {
        metrics.getFailed();
        throw error;
      }
    };
    const key = `${site.mark} ${name} ${basename(destination)}`;
    return await this.#counted(sites.hold(site, () => this.#gets.join(key, signal, work)));
  }

  async #fetch(
    { settings, forGet }: Site,
    asked: { readonly name: string; readonly destination: string },
    signal: AbortSignal,
  ): Promise<GetOutcome> {
    const { dataDir, clock, report } = this.#options;
    const { getPatienceMs } = settings.config;
    const isStandby = existsSync(join(dataDir, 'standby.signal'));
    const request = {
      ...asked,
      patienceMs: isStandby ? Math.min(getPatienceMs, STANDBY_PATIENCE_MS) : getPatienceMs,
      mustExist: await readWalMark(dataDir),
      systemId: await systemIdOfDataDirectory(dataDir),
    };
    return await within(getPatienceMs + GET_EXTRA_MS, signal, (limit) =>
      getWal(forGet, request, { signal: limit, clock, report }),
    );
  }

  /** Takes nothing new from now on, and resolves when nothing is under way. */
  async drained(): Promise<void> {
    this.#stopping = true;
    this.#ahead.stop(stopping());
    const { pushes, gets } = this.underWay;
    if (pushes + gets === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }

  #mustRun(): void {
    if (!this.#stopping) return;
    throw stopping();
  }

  async #counted<T>(run: Promise<T>): Promise<T> {
    try {
      return await run;
    } finally {
      const { pushes, gets } = this.underWay;
      if (pushes + gets === 0) this.#idle?.();
    }
  }
}

function stopping(): TsbkError {
  return new TsbkError('daemon-busy', 'the daemon is stopping', { hint: 'Ask again.' });
}

/** Runs `work` for so long, and as much longer as it may clean up. */
async function within<T>(
  limitMs: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(timeUp(limitMs)), limitMs);
  const either = AbortSignal.any([signal, deadline.signal]);
  try {
    return await withGrace(work(either), either, GRACE_MS);
  } finally {
    clearTimeout(timer);
  }
}

function timeUp(limitMs: number): TsbkError {
  return new TsbkError('store-timeout', `not done within ${limitMs / 1000} s`, {
    hint: 'PostgreSQL will try again. TSBK_PUSH_TIMEOUT sets the limit for archiving.',
  });
}
