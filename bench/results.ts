import { renameSync, writeFileSync } from 'node:fs';
import type { Usage } from './measure/run-measured.ts';
import type { Spread } from './statistics.ts';

export type ScenarioName = 'backup' | 'restore' | 'wal-steady' | 'wal-drain' | 'wal-replay';

/** One measurement, or why there is none. */
export interface Measurement {
  readonly scenario: ScenarioName;
  readonly store: 'directory' | 's3';
  readonly encrypted: boolean;
  readonly contender: string;
  readonly round: number;
  /** Absent when it failed. */
  readonly usage?: Usage;
  readonly error?: string;
  /** Bytes in the repository after a backup. */
  readonly storedBytes?: number;
  /** WAL files, where the scenario is about them. */
  readonly segments?: number;
  /** Outcome of opening what was restored and comparing every table; absent when not looked at. */
  readonly verified?: 'same' | 'not openable by design';
}

/** Transactions while a backup ran, and in the seconds before it. */
export interface Effect {
  readonly contender: string;
  readonly round: number;
  readonly error?: string;
  readonly before?: LoadFigures;
  readonly during?: LoadFigures;
}

export interface LoadFigures {
  readonly seconds: number;
  readonly tps: number;
  readonly p99Ms: number;
}

/** How long it took from a commit to the moment in which the repository alone has it. */
export interface Durability {
  readonly contender: string;
  readonly store: 'directory' | 's3';
  readonly round: number;
  readonly error?: string;
  readonly commits?: number;
  /** Milliseconds: of the commits of this round. */
  readonly ms?: Spread;
  readonly p95Ms?: number;
}

/** What a primary that is killed together with its disk takes with it. */
export interface Loss {
  readonly round: number;
  readonly receiver: 'survives' | 'killed';
  readonly error?: string;
  /** Transactions that clients were told of, and those of them that a restore does not have. */
  readonly acknowledged?: number;
  readonly lost?: number;
  /** From the acknowledgement of the first that is lost to the kill; 0 if none is. */
  readonly windowMs?: number;
  readonly perSecond?: number;
  readonly walMiBPerSecond?: number;
}

export interface DescribedContender {
  readonly id: string;
  readonly title: string;
  readonly note: string;
  /** How to install it, when it is not there. */
  readonly absent?: string;
  /** Where it takes no part, and why. */
  readonly excluded: readonly string[];
}

/** Everything a run found out, as `results.json` holds it. */
export interface Results {
  readonly format: 1;
  readonly startedAt: string;
  readonly finishedAt?: string;
  readonly machine: Readonly<Record<string, string>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly options: {
    readonly sizeGib: number;
    readonly rounds: number;
    /** Of what concerns WAL; absent in earlier results, where they were `rounds`. */
    readonly walRounds?: number;
    readonly codec: 'lz4' | 'zstd';
    readonly width: number;
  };
  /** Bytes of the data directory without WAL, and files in it. */
  readonly cluster: { readonly bytes: number; readonly files: number; readonly postgres: string };
  readonly contenders: readonly DescribedContender[];
  readonly walContenders: readonly DescribedContender[];
  readonly measurements: readonly Measurement[];
  readonly effects: readonly Effect[];
  /** Absent from runs before this was measured. */
  readonly durabilities?: readonly Durability[];
  readonly receivers?: readonly DescribedContender[];
  readonly losses?: readonly Loss[];
  /** Scenarios that earlier runs have measured, and how they did it. */
  readonly kept?: readonly KeptRun[];
}

export interface KeptRun extends Pick<Results, 'startedAt' | 'options' | 'cluster'> {
  readonly scenarios: readonly string[];
}

/** Replaces the file as a whole, so that an interrupted run leaves what it had. */
export function saveAs(path: string, text: string): void {
  writeFileSync(`${path}.part`, text);
  renameSync(`${path}.part`, path);
}
