import type { TestStore } from '@tsbk/test/support/store';
import type { Command } from '../../measure/run-measured.ts';
import type { Service } from '../../measure/service.ts';
import type { Flavour } from '../contender.ts';

/** A server's data directory and an empty repository. */
export interface WalSite extends Flavour {
  /** Current directory of the commands, as PostgreSQL has it. */
  readonly dataDir: string;
  readonly repository: TestStore;
  /** A folder of the server's user, for configuration. */
  readonly folder: string;
  /** Processes or threads for those that take a number. */
  readonly width: number;
}

/** A program that archives WAL, in one repository. */
export interface WalSession {
  readonly env: Readonly<Record<string, string>>;
  /** Makes an empty repository ready. Not measured. */
  readonly prepare?: Command;
  readonly service?: Service;
  /** `archive_command`, with `%p` and `%f`. */
  readonly archiveCommand: string;
  /** `restore_command`, with `%p` and `%f`. */
  readonly restoreCommand: string;
}

/** A program, or a way of using one, that archives WAL and brings it back. */
export interface WalContender {
  readonly id: string;
  readonly title: string;
  readonly note: string;
  /** How to install it when it is not there; `undefined` when it is. */
  readonly absent: () => string | undefined;
  /** Why it takes no part in this comparison; `undefined` when it does. */
  readonly excluded: (flavour: Flavour) => string | undefined;
  readonly open: (site: WalSite) => WalSession;
}
