import type { GetOutcome } from '@tsbk/core/archive/get';
import type { PushResult } from '@tsbk/core/archive/push';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import { instantToMs } from '@tsbk/core/kernel/instant';
import type { Clock } from '@tsbk/core/ports/clock';
import type { Family } from './exposition.ts';
import { Histogram } from './histogram.ts';

/** Counts what the daemon does, for as long as it runs. */
export class Metrics {
  readonly #clock: Clock;
  readonly #startedS: number;
  readonly #pushes = new Map<PushResult['outcome'], number>([
    ['stored', 0],
    ['already-there', 0],
  ]);
  readonly #failures = new Map<string, number>();
  readonly #gets = new Map<GetOutcome | 'failed', number>([
    ['fetched', 0],
    ['absent', 0],
    ['failed', 0],
  ]);
  readonly #pushTimes = new Histogram();
  readonly #getTimes = new Histogram();
  #pushedBytes = 0;
  #lastPushS: number | undefined;
  #lastFailure: string | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedS = this.#nowS();
  }

  /** The error code by which the last push failed, if nothing was pushed since. */
  get lastFailure(): string | undefined {
    return this.#lastFailure;
  }

  pushed(
    outcome: PushResult['outcome'],
    { bytes, ms }: { readonly bytes: number; readonly ms: number },
  ): void {
    increase(this.#pushes, outcome);
    this.#pushedBytes += bytes;
    this.#pushTimes.observe(ms / 1000);
    this.#lastPushS = this.#nowS();
    this.#lastFailure = undefined;
  }

  pushFailed(error: unknown): void {
    const code = isTsbkError(error) ? error.code : 'internal';
    // Nobody waited for it any more: that says nothing of the archive.
    if (code === 'interrupted') return;
    increase(this.#failures, code);
    this.#lastFailure = code;
  }

  got(outcome: GetOutcome, ms: number): void {
    increase(this.#gets, outcome);
    this.#getTimes.observe(ms / 1000);
  }

  getFailed(): void {
    increase(this.#gets, 'failed');
  }

  families(): Family[] {
    return [
      {
        name: 'tsbk_daemon_start_timestamp_seconds',
        type: 'gauge',
        help: 'When the daemon was started, seconds since 1970.',
        samples: [{ value: this.#startedS }],
      },
      {
        name: 'tsbk_wal_pushed_segments_total',
        type: 'counter',
        help: 'WAL files that are durable in the archive, by whether this daemon stored them.',
        samples: labelled('outcome', this.#pushes),
      },
      {
        name: 'tsbk_wal_pushed_bytes_total',
        type: 'counter',
        help: 'Bytes of these files before compression.',
        samples: [{ value: this.#pushedBytes }],
      },
      {
        name: 'tsbk_wal_push_failures_total',
        type: 'counter',
        help: 'Pushes that failed, by error code (docs/errors.md).',
        samples: labelled('code', this.#failures),
      },
      {
        name: 'tsbk_wal_last_push_timestamp_seconds',
        type: 'gauge',
        help: 'When a WAL file was archived last, seconds since 1970.',
        samples: this.#lastPushS === undefined ? [] : [{ value: this.#lastPushS }],
      },
      {
        name: 'tsbk_wal_push_duration_seconds',
        type: 'histogram',
        help: 'How long a push took that ended well.',
        samples: this.#pushTimes.samples(),
      },
      {
        name: 'tsbk_wal_gets_total',
        type: 'counter',
        help: 'WAL files that were asked for, by the answer.',
        samples: labelled('outcome', this.#gets),
      },
      {
        name: 'tsbk_wal_get_duration_seconds',
        type: 'histogram',
        help: 'How long it took to answer.',
        samples: this.#getTimes.samples(),
      },
    ];
  }

  #nowS(): number {
    return instantToMs(this.#clock.now()) / 1000;
  }
}

function increase<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function labelled(name: string, counts: ReadonlyMap<string, number>) {
  return [...counts].map(([key, value]) => ({ labels: { [name]: key }, value }));
}
