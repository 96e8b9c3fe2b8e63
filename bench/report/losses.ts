import type { Loss, Results } from '../results.ts';
import { median } from '../statistics.ts';

/** What was lost in the rounds of one fate of the receiver. */
interface LossRow {
  readonly receiver: Loss['receiver'];
  readonly failures: readonly string[];
  readonly rounds: number;
  readonly acknowledged: number;
  readonly lost: number;
  readonly perSecond: number;
  readonly medianMs: number;
  readonly maxMs: number;
}

/** Empty if it was not measured. */
export function summarizeLosses({ losses = [] }: Results): LossRow[] {
  return (['survives', 'killed'] as const).flatMap((receiver) => {
    const own = losses.filter((one) => one.receiver === receiver);
    const failures = own.flatMap(({ error }) => (error === undefined ? [] : [error]));
    const good = own.filter(({ error }) => error === undefined);
    if (own.length === 0) return [];
    const of = (value: (one: Loss) => number | undefined): number[] =>
      good.map((one) => value(one) ?? NaN);
    const total = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0);
    const windows = of(({ windowMs }) => windowMs);
    return {
      receiver,
      failures,
      rounds: good.length,
      acknowledged: total(of(({ acknowledged }) => acknowledged)),
      lost: total(of(({ lost }) => lost)),
      perSecond: good.length === 0 ? NaN : median(of(({ perSecond }) => perSecond)),
      medianMs: good.length === 0 ? NaN : median(windows),
      maxMs: Math.max(...windows),
    };
  });
}
