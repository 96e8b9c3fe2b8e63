import type { CrashFault } from './schedule.ts';

/** What a run of campaigns has done, to be printed. */
export interface Totals {
  rounds: number;
  campaigns: number;
  restores: number;
  /** Files of the archive compared with the server's. */
  files: number;
  /** Transactions found in a restored server that had to be there. */
  transactions: number;
  /** Pushes that ran into a failpoint. */
  failpoints: number;
  /** Requests that the store failed, in whichever way. */
  requests: number;
  /** Faults that were inflicted, by kind. */
  readonly faults: Map<string, number>;
}

export function noTotals(): Totals {
  return {
    rounds: 0,
    campaigns: 0,
    restores: 0,
    files: 0,
    transactions: 0,
    failpoints: 0,
    requests: 0,
    faults: new Map(),
  };
}

export function countFault(totals: Totals, { kind }: Pick<CrashFault, 'kind'>): void {
  totals.faults.set(kind, (totals.faults.get(kind) ?? 0) + 1);
}

/** A few lines for people. */
export function describeTotals(totals: Totals): string {
  const faults = [...totals.faults].sort(([a], [b]) => a.localeCompare(b));
  const all = faults.reduce((sum, [, count]) => sum + count, 0);
  const kills = faults
    .filter(([kind]) => kind.startsWith('kill-') || kind === 'stop-immediate')
    .reduce((sum, [, count]) => sum + count, 0);
  return [
    `${totals.rounds} rounds in ${totals.campaigns} campaigns, ${all} faults, ${kills} of them kills`,
    `${totals.failpoints} pushes met a failpoint, ${totals.requests} requests failed`,
    faults.map(([kind, count]) => `${kind} ${count}`).join(', '),
    `${totals.restores} restores, ${totals.files} archived files compared, ` +
      `${totals.transactions} transactions checked`,
  ].join('\n');
}
