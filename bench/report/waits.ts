import type { Durability, Results } from '../results.ts';
import { median } from '../statistics.ts';

/** From commit to durable in one store. */
export interface WaitGroup {
  readonly title: string;
  readonly rows: readonly WaitRow[];
}

interface WaitRow {
  readonly contender: string;
  readonly failures: readonly string[];
  /** The median of the rounds' medians; absent when none succeeded. */
  readonly medianMs?: number;
  /** Likewise of the 95th percentiles. */
  readonly p95Ms?: number;
  /** The longest of all rounds. */
  readonly maxMs?: number;
}

/** Empty if it was not measured. */
export function summarizeWaits({ durabilities = [] }: Results): WaitGroup[] {
  const stores = [...new Set(durabilities.map(({ store }) => store))];
  return stores.map((store) => {
    const inStore = durabilities.filter((one) => one.store === store);
    const contenders = [...new Set(inStore.map(({ contender }) => contender))];
    return {
      title: `From commit to durable, ${store === 's3' ? 'S3' : 'directory'}`,
      rows: contenders.map((id) =>
        rowOf(
          id,
          inStore.filter(({ contender }) => contender === id),
        ),
      ),
    };
  });
}

function rowOf(contender: string, own: readonly Durability[]): WaitRow {
  const failures = own.flatMap(({ error }) => (error === undefined ? [] : [error]));
  const good = own.flatMap(({ ms, p95Ms }) =>
    ms === undefined || p95Ms === undefined ? [] : [{ ms, p95Ms }],
  );
  if (good.length === 0) return { contender, failures };
  return {
    contender,
    failures,
    medianMs: median(good.map(({ ms }) => ms.median)),
    p95Ms: median(good.map(({ p95Ms }) => p95Ms)),
    maxMs: Math.max(...good.map(({ ms }) => ms.max)),
  };
}
