import { TsbkError } from '../kernel/errors.ts';
import type { BackupRequest, OpenBackup } from '../ports/backup-source.ts';
import type { Report } from '../ports/report.ts';
import type { DeltaDecision, DeltaWish } from './decide-delta.ts';
import { openByPages } from './open-by-pages.ts';
import { openByServer } from './open-by-server.ts';
import type { Attempt, Opener, OpenInputs, RefusedDelta } from './opener.ts';
import type { Delta, DeltaSource } from './parent.ts';
import { describeSource } from './pushed-delta.ts';

/** A backup under way, and whether it is a delta. */
export interface OpenedBackup {
  readonly backup: OpenBackup;
  readonly delta: Delta | undefined;
  /** Why it is full, or why the changes come from where they do: a clause for people. */
  readonly reason: string;
}

interface OpenOptions {
  readonly signal: AbortSignal;
  readonly report: Report;
}

type DueDelta = Extract<DeltaDecision, { readonly kind: 'delta' }>;

const OPENERS: Readonly<Record<DeltaSource, Opener>> = {
  server: openByServer,
  stream: openByPages,
  files: openByPages,
  summaries: openByPages,
};

/**
 * Starts a backup, a delta if it was decided so and nothing is in the way. A source that refuses is
 * followed by the next one, if there is a choice, and a warning says so (`delta-source`). Where no delta
 * can be taken a full backup is, and a warning says why (`delta-refused`); with `fallback: 'fail'` that
 * is an error.
 */
export async function openDelta(
  inputs: OpenInputs,
  request: BackupRequest & DeltaWish,
  { signal, report }: OpenOptions,
): Promise<OpenedBackup> {
  const { decision } = request;
  if (decision.kind === 'delta') {
    const attempt = await openDue(inputs, { decision, request }, { signal, report });
    if (attempt.kind === 'opened') return attempt;
    return await openFullInstead(inputs, { refused: attempt, request }, { signal, report });
  }
  const { reason, obstacle } = decision;
  if (obstacle) {
    return await openFullInstead(inputs, { refused: { reason }, request }, { signal, report });
  }
  return { backup: await inputs.source.open(request, { signal }), delta: undefined, reason };
}

async function openFullInstead(
  { source }: OpenInputs,
  {
    refused: { reason, error, backup },
    request,
  }: {
    readonly refused: Pick<RefusedDelta, 'reason' | 'error' | 'backup'>;
    readonly request: BackupRequest & DeltaWish;
  },
  { signal, report }: OpenOptions,
): Promise<OpenedBackup> {
  if (request.fallback === 'fail') {
    await backup?.[Symbol.asyncDispose]();
    throw error ?? refusal(reason);
  }
  report({ kind: 'warning', code: 'delta-refused', text: `full backup instead: ${reason}` });
  return { backup: backup ?? (await source.open(request, { signal })), delta: undefined, reason };
}

/** By the source that was chosen, or by those that are left where it makes none. */
async function openDue(
  inputs: OpenInputs,
  { decision, request }: { readonly decision: DueDelta; readonly request: BackupRequest },
  { signal, report }: OpenOptions,
): Promise<Attempt> {
  const { delta, reason, others } = decision;
  const first = { delta, reason };
  let attempt = await OPENERS[delta.source](inputs, first, { request, signal });
  for (const source of others) {
    if (attempt.kind === 'opened' || attempt.by === 'parent') return attempt;
    const text = `${describeSource(source)} instead: ${attempt.reason}`;
    report({ kind: 'warning', code: 'delta-source', text });
    const wanted = { delta: { ...delta, source }, reason: attempt.reason };
    attempt = withReason(
      await OPENERS[source](inputs, wanted, { request, signal }),
      attempt.reason,
    );
  }
  return attempt;
}

/** What is refused after another refusal is so for both reasons. */
function withReason(attempt: Attempt, before: string): Attempt {
  if (attempt.kind === 'opened') return attempt;
  const { by, backup } = attempt;
  return {
    kind: 'refused',
    by,
    reason: `${before}, and ${attempt.reason}`,
    ...(backup && { backup }),
  };
}

function refusal(reason: string): TsbkError {
  return new TsbkError('delta-refused', `no delta can be taken: ${reason}`, {
    hint: 'Take a full backup (--full), or let tsbk do so by itself: TSBK_DELTA_FALLBACK=full.',
  });
}
