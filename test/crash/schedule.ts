import type { Fault } from '../support/s3-model/rules.ts';
import { seeded, type Seeded } from '../support/seeded.ts';

/** One thing that goes wrong. What must be chosen at random is chosen here, not when it happens. */
export type CrashFault =
  /** SIGKILL for a push that runs: its program, or the launcher around it. */
  | { readonly kind: 'kill-push'; readonly victim: 'program' | 'launcher'; readonly waitMs: number }
  /** SIGKILL for what the way has beside the server: a daemon, a receiver. */
  | { readonly kind: 'kill-helper' }
  /** SIGKILL for a fetch of the restoring server. */
  | { readonly kind: 'kill-get'; readonly victim: 'program' | 'launcher'; readonly waitMs: number }
  | { readonly kind: 'kill-archiver' }
  | { readonly kind: 'kill-backend' }
  /** SIGKILL for every process of the server; a push that runs goes on as an orphan. */
  | { readonly kind: 'kill-server' }
  /** SIGKILL for every process of the server and of its pushes. */
  | { readonly kind: 'kill-all' }
  | { readonly kind: 'stop-immediate' }
  /**
   * The next push, whenever that is, or the helper, started anew for it, stops at one call of the
   * store, as `TSBK_FAILPOINT` says.
   */
  | { readonly kind: 'failpoint'; readonly text: string; readonly inHelper: boolean }
  /** The store fails like this at the next requests, after some more of them. S3 only. */
  | {
      readonly kind: 'store';
      readonly fault: Fault;
      readonly operation: string;
      readonly hit: number;
      readonly times: number;
    }
  /** Every request fails like this until the round is over. S3 only. */
  | { readonly kind: 'outage'; readonly fault: Fault }
  /** The store fails like this while a restored server fetches. S3 only. */
  | {
      readonly kind: 'break-get';
      readonly fault: Fault;
      readonly operation: string;
      readonly hit: number;
      readonly times: number;
    }
  /** The repository takes nothing more than `spareBytes`. */
  | { readonly kind: 'full-repository'; readonly spareBytes: number }
  /** Nothing can be written to the state directory. */
  | { readonly kind: 'full-state' };

type FaultKind = CrashFault['kind'];

/** Whether it strikes while a restored server fetches, and not while the server archives. */
export function strikesRestore({ kind }: CrashFault): boolean {
  return kind === 'kill-get' || kind === 'break-get';
}

interface PlannedFault {
  /** From the beginning of the round. */
  readonly atMs: number;
  readonly fault: CrashFault;
}

export interface Round {
  readonly number: number;
  readonly faults: readonly PlannedFault[];
  /** How long the round lasts at least. */
  readonly lengthMs: number;
  /** Whether a checkpoint is made in it, which removes segments that count as archived. */
  readonly checkpoint: boolean;
}

/** What there is to break where the campaign runs. */
export interface Breakable {
  readonly store: 's3' | 'directory';
  readonly canFill: boolean;
  readonly hasHelper: boolean;
}

/** Calls that a push makes, each before and after. */
const CALLS = ['stat', 'get', 'put', 'stat-done', 'get-done', 'put-done'] as const;

/** Of `put` most: that is where an archive is made or lost. */
const FAILPOINTS = [...CALLS, 'put', 'put-done', 'put', 'put-done'] as const;

const ACTIONS = ['kill', 'kill', 'term', 'throw', 'exit', 'hang'] as const;

const STORE_FAULTS: readonly Fault[] = [
  { kind: 'status', status: 500, code: 'InternalError' },
  { kind: 'status', status: 503, code: 'SlowDown' },
  { kind: 'hang' },
  { kind: 'delay', ms: 700 },
  { kind: 'slow-intake', bytesPerTick: 2000 },
  { kind: 'half-request' },
  { kind: 'half-request' },
  { kind: 'drop' },
  { kind: 'reset' },
  { kind: 'error-in-200', code: 'InternalError' },
  { kind: 'swallow' },
  { kind: 'lost-answer' },
  { kind: 'lost-answer' },
  { kind: 'empty-answer' },
  { kind: 'foreign-page', status: 502 },
];

const READ_FAULTS: readonly Fault[] = [
  { kind: 'status', status: 500, code: 'InternalError' },
  { kind: 'status', status: 503, code: 'SlowDown' },
  { kind: 'hang' },
  { kind: 'drop' },
  { kind: 'foreign-page', status: 404 },
  { kind: 'cut-answer', announced: true },
  { kind: 'cut-answer', announced: false },
  { kind: 'corrupt-answer' },
];

const OUTAGES: readonly Fault[] = [
  { kind: 'status', status: 503, code: 'SlowDown' },
  { kind: 'status', status: 403, code: 'AccessDenied' },
  { kind: 'half-request' },
  { kind: 'hang' },
  { kind: 'reset' },
  { kind: 'lost-answer' },
];

/** What happens in a campaign, as its seed says. */
export function planRounds(seed: number, rounds: number, breakable: Breakable): Round[] {
  const random = seeded(seed);
  let deck: FaultKind[] = [];
  return Array.from({ length: rounds }, (_, index) => {
    const kinds: FaultKind[] = [];
    const wanted = random.between(1, 4);
    while (kinds.length < wanted) {
      // From a deck, so that a short campaign meets every kind too.
      if (deck.length === 0) deck = random.shuffled(kindsOf(breakable));
      kinds.push(deck.pop() ?? 'kill-push');
    }
    const lengthMs = random.between(700, 1400);
    return {
      number: index + 1,
      lengthMs,
      checkpoint: random.below(3) === 0,
      faults: kinds
        .map((kind) => ({ atMs: random.below(lengthMs), fault: draw(kind, random, breakable) }))
        .sort((a, b) => a.atMs - b.atMs),
    };
  });
}

/** What disturbs the restore at the end: S3 fails now and then, within what the command waits out. */
export function planLastRestore(seed: number, breakable: Breakable): CrashFault[] {
  const random = seeded(seed ^ 0x1a57);
  if (breakable.store !== 's3') return [];
  return [draw('break-get', random, breakable), draw('break-get', random, breakable)];
}

function kindsOf({ store, canFill, hasHelper }: Breakable): FaultKind[] {
  return [
    'kill-push',
    'kill-push',
    'kill-get',
    'kill-archiver',
    'kill-backend',
    'kill-server',
    'kill-all',
    'stop-immediate',
    'failpoint',
    'failpoint',
    'failpoint',
    ...(hasHelper ? (['kill-helper', 'kill-helper', 'kill-helper'] as const) : []),
    ...(store === 's3'
      ? (['store', 'store', 'store', 'store', 'outage', 'break-get'] as const)
      : []),
    ...(store === 's3' || canFill ? (['full-repository'] as const) : []),
    ...(canFill ? (['full-state'] as const) : []),
  ];
}

function draw(kind: FaultKind, random: Seeded, { store, hasHelper }: Breakable): CrashFault {
  switch (kind) {
    case 'kill-push':
    case 'kill-get':
      return {
        kind,
        victim: random.below(5) === 0 ? 'launcher' : 'program',
        waitMs: random.below(random.pick([300, 2000])),
      };
    case 'failpoint': {
      const hit = random.pick([1, 1, 2, 3]);
      const text = `${random.pick(FAILPOINTS)}:${hit}:${random.pick(ACTIONS)}`;
      return { kind, text, inHelper: hasHelper && random.below(2) === 0 };
    }
    case 'break-get': {
      const fault = random.pick(READ_FAULTS);
      const [hit, times] = [random.between(1, 3), random.pick([1, 2, 4])];
      // What comes damaged again and again is damaged, and rightly stops a recovery.
      const isOnce = fault.kind === 'corrupt-answer';
      return { kind, fault, operation: 'GetObject', hit, times: isOnce ? 1 : times };
    }
    case 'outage':
      return { kind, fault: random.pick(OUTAGES) };
    case 'store': {
      const reads = random.below(4) === 0;
      const fault = random.pick(reads ? READ_FAULTS : STORE_FAULTS);
      const operation = reads ? random.pick(['GetObject', 'HeadObject']) : 'PutObject';
      const [hit, times] = [random.pick([1, 1, 2, 3]), random.pick([1, 1, 2, 6])];
      // As often as everything that reads tries again.
      const most = fault.kind === 'corrupt-answer' ? 2 : times;
      return { kind, fault, operation, hit, times: Math.min(times, most) };
    }
    case 'full-repository':
      return { kind, spareBytes: store === 's3' ? random.below(200_000) : 4096 * random.below(32) };
    case 'kill-helper':
    case 'kill-archiver':
    case 'kill-backend':
    case 'kill-server':
    case 'kill-all':
    case 'stop-immediate':
    case 'full-state':
      return { kind };
  }
}

/** One line for people. */
export function describeFault(fault: CrashFault): string {
  const { kind, ...details } = fault;
  const words = Object.values(details)
    .filter((value) => value !== false)
    .map((value) =>
      typeof value === 'object'
        ? Object.values(value).join(' ')
        : value === true
          ? 'in the helper'
          : String(value),
    );
  return [kind, ...words].join(' ');
}
