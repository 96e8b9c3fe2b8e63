import type { Usage } from '../measure/run-measured.ts';
import type { DescribedContender } from '../results.ts';

/** One delta or restore that was measured, or why it was not. */
export interface DeltaMeasurement {
  readonly scenario: 'full' | 'delta' | 'restore';
  readonly contender: string;
  readonly round: number;
  /** Of the database. */
  readonly sizeGib: number;
  /** Share of the pages that changed since the parent, 0 to 1; 0 for a full backup. */
  readonly share: number;
  /** Set where the same number of pages changes whatever the size: how many. */
  readonly pages?: number;
  /** Absent when it failed. */
  readonly usage?: Usage;
  readonly error?: string;
  /** What it added to the repository, the WAL that was archived meanwhile included. */
  readonly storedBytes?: number;
  /** Deltas of the chain that was restored. */
  readonly links?: number;
}

export interface DeltaResults {
  readonly format: 1;
  readonly startedAt: string;
  readonly finishedAt?: string;
  readonly machine: Readonly<Record<string, string>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly options: {
    readonly sizesGib: readonly number[];
    readonly shares: readonly number[];
    readonly rounds: number;
    readonly links: number;
    /** Pages that change in every size alike; 0: none. */
    readonly pages: number;
    readonly postgres: number;
  };
  readonly contenders: readonly DescribedContender[];
  readonly measurements: readonly DeltaMeasurement[];
}
