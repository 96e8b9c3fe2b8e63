import type { Instant } from '../kernel/instant.ts';
import type { Lsn } from '../kernel/lsn.ts';
import type { SystemId } from '../kernel/system-id.ts';
import type { TimelineId } from '../kernel/wal-file.ts';
import type { TsbkError } from '../kernel/errors.ts';
import type { PromisedObject } from '../ports/extract.ts';
import type { PlannedLink } from '../repository/chain/planned-link.ts';
import type { Selection } from '../repository/chain/selection.ts';
import type { WantedName } from './partial/wanted-names.ts';
import type { ExistingCluster } from './in-place/existing-cluster.ts';
import type { PlannedTablespace } from './plan-tablespaces.ts';
import type { Reach } from './reachable.ts';
import type { RecoverySettings } from './recovery-settings.ts';
import type { Roll } from '../repository/chain/roll.ts';
import type { RecoveryTarget, TargetAction, TimelineChoice } from './target.ts';
import type { TablespaceMapping } from './plan-tablespaces.ts';

/** What a restore is asked to do. */
export interface RestoreRequest {
  /** A backup's name or `LATEST`. */
  readonly backup: string;
  /** Absolute path of the data directory to make. */
  readonly destination: string;
  readonly target: RecoveryTarget;
  readonly timeline: TimelineChoice;
  readonly action: TargetAction;
  readonly standby: boolean;
  /** The `restore_command` to write, as the server runs it, with its placeholders. */
  readonly restoreCommand: string;
  /** `false`: whoever starts the server says how to recover, and makes the signal file. */
  readonly writeRecoverySettings: boolean;
  readonly tablespaceMapping: readonly TablespaceMapping[];
  /** Restore only these databases and relations, and what a cluster cannot do without. */
  readonly only?: readonly WantedName[] | undefined;
  /** Size of WAL segments where neither archive nor backup tells it. */
  readonly segmentBytes: number;
  /** Bring a data directory of the same cluster to the backup's state, if the destination is one. */
  readonly inPlace?: boolean;
}

/** The backup that a plan restores. */
export interface PlannedBackup {
  readonly name: string;
  readonly timeline: TimelineId;
  readonly startLsn: Lsn;
  readonly stopLsn: Lsn;
  readonly startTime: Instant;
  readonly finishTime: Instant;
  /** `server_version_num`. */
  readonly pgVersion: number | undefined;
  readonly systemId: SystemId | undefined;
}

/** WAL that recovery reads. */
export interface PlannedWal {
  readonly segmentBytes: number;
  /** Timeline that recovery ends on. */
  readonly timeline: TimelineId;
  /** Names of the segments without which the backup does not get consistent. */
  readonly own: { readonly first: string; readonly last: string; readonly count: number };
  /** What the archive has without a hole, in the order of recovery. */
  readonly available: readonly { readonly first: string; readonly last: string }[];
  /** Segments up to the target, as far as it is known where it is. */
  readonly toTarget: number | undefined;
  /** The first segment after `available`, and whether the archive has later ones. */
  readonly missing: { readonly name: string; readonly isHole: boolean };
  /** How much of that is there, stored by `wal-receive` while it was written. */
  readonly openBytes: number | undefined;
}

export interface PlanWarning {
  /** Stable, for machines. */
  readonly code: string;
  readonly text: string;
}

/** Everything a restore will do, and everything that forbids it. Plain data: nothing is open. */
export interface RestorePlan {
  readonly backup: PlannedBackup;
  /** Absolute, symbolic links resolved. */
  readonly destination: string;
  /** The data directory that is there and is restored in place; `undefined` for an empty one. */
  readonly existing: ExistingCluster | undefined;
  readonly target: RecoveryTarget;
  readonly reach: Reach;
  /** The backup and, for a delta, those it builds on: the newest first, the last one full. */
  readonly links: readonly PlannedLink[];
  /** PostgreSQL's manifest, if the backup has it. */
  readonly manifest: PromisedObject | undefined;
  /** Which backup has what of each file; `undefined` if no record lists any. */
  readonly roll: Roll | undefined;
  /** Which files are restored; `undefined` for all of them. */
  readonly selection: Selection | undefined;
  readonly fetchBytes: number;
  /** What the files will take; `undefined` if the records do not say. */
  readonly writeBytes: number | undefined;
  readonly tablespaces: readonly PlannedTablespace[];
  readonly wal: PlannedWal;
  /** What will be written for the server; `undefined` if nothing shall be. */
  readonly recovery: RecoverySettings | undefined;
  readonly warnings: readonly PlanWarning[];
  /** Reasons to refuse, the most telling first. Empty: the restore can begin. */
  readonly problems: readonly TsbkError[];
}
