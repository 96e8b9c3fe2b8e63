import type { PromisedObject } from '../../ports/extract.ts';

/** A tar of the backup. */
export interface PlannedTar extends PromisedObject {
  readonly name: string;
  readonly storedBytes: number;
  /** Only known of backups that tsbk made. */
  readonly plainBytes: number | undefined;
  /** Files in it that are wanted, if known. */
  readonly files: number | undefined;
  /** Holds `pg_control` or the label: extracted after all others. */
  readonly last: boolean;
  /** Of a backup below the newest: the numbers in the roll of what it may be needed for, if known. */
  readonly holds: readonly number[] | undefined;
}

/** A backup of a chain. */
export interface PlannedLink {
  /** Its name. */
  readonly backup: string;
  /** Those that hold something of what is wanted of the newest. */
  readonly tars: readonly PlannedTar[];
}
