import type { Contender, Site } from '../contenders/contender.ts';
import type { Command } from '../measure/run-measured.ts';

/** How many deltas a chain may have: more than any run takes. */
export const MAX_STEPS = '1000';

/** A program that takes deltas, in one repository. */
export interface DeltaSession {
  /** Makes an empty repository ready. Not measured. */
  readonly prepare?: Command;
  /** Absent where the tool does not archive: its backups hold the WAL they need. */
  readonly archivePush?: Command;
  readonly archiveGet?: Command;
  readonly full: Command;
  readonly delta: Command;
  readonly restore: (directory: string) => Command;
  readonly opens: 'alone' | 'as-restored' | 'by-harness';
}

/** One way to take a delta. */
export interface DeltaContender extends Pick<Contender, 'id' | 'title' | 'note' | 'absent'> {
  /** Why it takes no part with this major version; `undefined` when it does. */
  readonly excluded: (version: number) => string | undefined;
  readonly open: (site: Site) => DeltaSession;
}
