import { rm } from 'node:fs/promises';
import { isTsbkError } from '../kernel/errors.ts';
import type { SystemId } from '../kernel/system-id.ts';
import { parseSegment, type Segment } from '../kernel/wal-file.ts';
import type { TimelineHistory } from '../format/history-file.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { getWal, type GetContext } from './get.ts';
import { namesAhead } from './prefetch-path.ts';
import {
  clearRing,
  givenHistories,
  hasRoomFor,
  placeInRing,
  readWanted,
  segmentsInRing,
  type Ring,
} from './ring.ts';

export interface PrefetchOptions {
  /** How many segments may be in the ring and on their way to it; fewer if they are large. */
  readonly depth: number;
  /** How many are fetched at the same time. */
  readonly width: number;
  /** How long an outage is waited out before the rest is left to whoever asks. Milliseconds. */
  readonly patienceMs: number;
  /** Of the data directory, as in `getWal`. */
  readonly systemId: SystemId | undefined;
  /** Whether there is still a recovery that may ask. */
  readonly isAsking: () => Promise<boolean>;
  /** How long it goes on when nothing is taken. Milliseconds. */
  readonly idleMs: number;
}

/**
 * Why it ended: the archive has no more (or cannot be read there) and all before that is taken;
 * nothing was taken for a while; nobody is there who could ask; the disk is needed for other things.
 */
export type PrefetchEnd = 'end-of-archive' | 'idle' | 'nobody-asks' | 'no-room';

const RING_BYTES_MAX = 512 * 1024 * 1024;
/**
 * How many are fetched for a recovery that has not taken any yet, and left for one that takes none any
 * more. One that is slow on purpose shall neither have each segment fetched again and again nor keep
 * a full ring.
 */
const SLOW_DEPTH = 2;
const LOOK_AGAIN_MS = 10;
const LOOK_AGAIN_MS_QUIET = 200;
/** From when on nothing was taken for long enough that a look now and then will do. */
const QUIET_MS = 2000;
const ASK_EVERY_MS = 200;

/**
 * Keeps the ring full of the segments that recovery will ask for next, until one of the ends comes.
 * Nothing that goes wrong here is an answer: what is not in the ring is fetched, and judged, by the
 * call that asks for it. Leaves the ring empty, but for the very next segments when it was idle.
 */
export async function prefetchWal(
  repository: Repository,
  ring: Ring,
  options: PrefetchOptions,
  context: RunOptions & GetContext,
): Promise<PrefetchEnd> {
  const run = new Prefetch(repository, ring, options, context);
  let end: PrefetchEnd | undefined;
  try {
    end = await run.untilEnd();
    return end;
  } finally {
    await run.close(end === 'idle' ? SLOW_DEPTH : 0);
  }
}

interface Flight {
  readonly done: Promise<void>;
  readonly abort: AbortController;
}

class Prefetch {
  readonly #repository: Repository;
  readonly #ring: Ring;
  readonly #options: PrefetchOptions;
  readonly #context: RunOptions & GetContext;
  readonly #flights = new Map<string, Flight>();
  /** Seen in the ring; one that is not there any more was taken. */
  #held: ReadonlySet<string> = new Set();
  /** Names that the archive denied. Only a plan is made of it, never an answer. */
  readonly #absent = new Set<string>();
  #histories: readonly TimelineHistory[] = [];
  #wanted = '';
  #at: Segment = { timeline: 0, number: 0n };
  #segmentBytes = 0;
  /** Number of the first segment that is not fetched ahead: it is absent, damaged, or out of reach. */
  #stop: bigint | undefined;
  #taken = 0;
  #diskFull = false;
  #movedMs: number;
  #askedMs = Number.NEGATIVE_INFINITY;

  constructor(
    repository: Repository,
    ring: Ring,
    options: PrefetchOptions,
    context: RunOptions & GetContext,
  ) {
    this.#repository = repository;
    this.#ring = ring;
    this.#options = options;
    this.#context = context;
    this.#movedMs = context.clock.monotonicMs();
  }

  async untilEnd(): Promise<PrefetchEnd> {
    for (;;) {
      this.#context.signal.throwIfAborted();
      const end = (await this.#look()) ?? (await this.#fetchAhead());
      if (end !== undefined) return end;
      await this.#pause();
    }
  }

  /** Ends what is under way, and leaves so many of the next segments. */
  async close(left: number): Promise<void> {
    for (const { abort } of this.#flights.values()) abort.abort();
    await Promise.all([...this.#flights.values()].map(({ done }) => done));
    await clearRing(this.#ring, new Set(left === 0 ? [] : this.#plan().slice(0, left)));
  }

  /** Learns where recovery is: by what it wanted and did not find, and by what it took. */
  async #look(): Promise<PrefetchEnd | undefined> {
    const nowMs = this.#context.clock.monotonicMs();
    if (nowMs - this.#askedMs > ASK_EVERY_MS) {
      if (!(await this.#options.isAsking())) return 'nobody-asks';
      this.#askedMs = nowMs;
    }
    const wanted = await readWanted(this.#ring);
    if (wanted === undefined) return 'nobody-asks';
    const segment = parseSegment(wanted.name, wanted.segmentBytes);
    if (segment === undefined) return 'nobody-asks';
    // What is made while the folder is read is no part of the comparison.
    const before = this.#held;
    const held = new Set(await segmentsInRing(this.#ring));
    if (wanted.name !== this.#wanted) {
      this.#segmentBytes = wanted.segmentBytes;
      await this.#startFrom(segment, wanted.name, held);
    }
    for (const name of before) if (!held.has(name)) this.#take(name);
    this.#held = new Set([...held, ...[...this.#held].filter((name) => !before.has(name))]);
    return nowMs - this.#movedMs > this.#options.idleMs ? 'idle' : undefined;
  }

  async #startFrom(segment: Segment, name: string, held: ReadonlySet<string>): Promise<void> {
    const histories = await givenHistories(this.#ring);
    const at = segment;
    this.#wanted = name;
    this.#at = at;
    this.#stop = undefined;
    this.#absent.clear();
    this.#movedMs = this.#context.clock.monotonicMs();
    const path = { at, segmentBytes: this.#segmentBytes, histories };
    const passedOver = namesAhead(path, at.number).some((one) => one !== name && held.has(one));
    // It took the parent's although the newer timeline's was there: it does not go along that one.
    this.#histories = passedOver
      ? histories.filter(({ timeline }) => timeline <= at.timeline)
      : histories;
  }

  #take(name: string): void {
    this.#movedMs = this.#context.clock.monotonicMs();
    this.#taken += 1;
    const segment = parseSegment(name, this.#segmentBytes);
    if (segment !== undefined && segment.number > this.#at.number) this.#at = segment;
  }

  /** Brings the ring nearer to what it should hold. */
  async #fetchAhead(): Promise<PrefetchEnd | undefined> {
    if (this.#diskFull) return 'no-room';
    const names = this.#plan();
    const planned = new Set(names);
    await clearRing(this.#ring, planned);
    this.#held = new Set([...this.#held].filter((name) => planned.has(name)));
    for (const [name, { abort }] of this.#flights) if (!planned.has(name)) abort.abort();
    if (names.length === 0 && this.#flights.size === 0) return 'end-of-archive';
    const missing = names.filter((name) => !this.#held.has(name) && !this.#flights.has(name));
    const free = Math.max(0, this.#options.width - this.#flights.size);
    const next = missing.slice(0, free);
    if (next.length === 0) return undefined;
    const bytes = this.#depth() * this.#segmentBytes;
    if (!(await hasRoomFor(this.#ring, bytes).catch(() => false))) return 'no-room';
    for (const name of next) this.#fetch(name);
    return undefined;
  }

  #depth(): number {
    const fitting = Math.floor(RING_BYTES_MAX / this.#segmentBytes);
    return Math.max(1, Math.min(this.#options.depth, fitting, SLOW_DEPTH + this.#taken));
  }

  /** Names of the segments that should be in the ring, the next one first. */
  #plan(): readonly string[] {
    const path = { at: this.#at, segmentBytes: this.#segmentBytes, histories: this.#histories };
    const names: string[] = [];
    for (let step = 1; step <= this.#depth(); step += 1) {
      const number = this.#at.number + BigInt(step);
      if (this.#stop !== undefined && number >= this.#stop) break;
      const name = namesAhead(path, number).find((one) => !this.#absent.has(one));
      if (name === undefined) {
        this.#stop = number;
        break;
      }
      names.push(name);
    }
    return names;
  }

  #fetch(name: string): void {
    const abort = new AbortController();
    const signal = AbortSignal.any([this.#context.signal, abort.signal]);
    const done = this.#get(name, signal).finally(() => this.#flights.delete(name));
    this.#flights.set(name, { done, abort });
  }

  async #get(name: string, signal: AbortSignal): Promise<void> {
    const { patienceMs, systemId } = this.#options;
    const destination = placeInRing(this.#ring, name);
    // What grows must not be kept: the ring has whole segments only.
    const request = { name, destination, patienceMs, systemId, wholeOnly: true };
    try {
      const outcome = await getWal(this.#repository, request, { ...this.#context, signal });
      if (outcome === 'absent') this.#absent.add(name);
      // Recovery went another way, or the run ends: then nobody will ask for it.
      else if (signal.aborted) await rm(destination, { force: true });
      else this.#held = new Set([...this.#held, name]);
    } catch (error) {
      if (signal.aborted) return;
      if (isTsbkError(error) && error.code === 'disk-full') this.#diskFull = true;
      const number = parseSegment(name, this.#segmentBytes)?.number ?? 0n;
      if (this.#stop === undefined || number < this.#stop) this.#stop = number;
    }
  }

  /** Until something of the own doing has changed, or it is time to look at what others did. */
  async #pause(): Promise<void> {
    const { clock, signal } = this.#context;
    const quiet = clock.monotonicMs() - this.#movedMs > QUIET_MS;
    const waited = new AbortController();
    const ms = quiet ? LOOK_AGAIN_MS_QUIET : LOOK_AGAIN_MS;
    const time = clock.sleep(ms, { signal: AbortSignal.any([signal, waited.signal]) });
    time.catch(() => undefined);
    await Promise.race([time, ...[...this.#flights.values()].map(({ done }) => done)]);
    waited.abort();
  }
}
