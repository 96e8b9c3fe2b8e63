import type { Server } from '@tsbk/test/support/postgres';
import type { TestStore } from '@tsbk/test/support/store';
import type { Command } from '../measure/run-measured.ts';

/** What all contenders of one comparison have in common. */
export interface Flavour {
  readonly store: 'directory' | 's3';
  readonly codec: 'lz4' | 'zstd';
  readonly encrypted: boolean;
}

/** The server to back up and an empty repository. */
export interface Site extends Flavour {
  readonly server: Server;
  readonly repository: TestStore;
  /** A folder of the server's user, for configuration. */
  readonly folder: string;
  /** Processes or threads for those that take a number. */
  readonly width: number;
}

/** A backup program in one repository. Commands run as the server's user. */
export interface Session {
  /** Makes an empty repository ready. Not measured. */
  readonly prepare?: Command;
  /** Stores a WAL file; its path is appended. Absent where the tool does not archive. */
  readonly archivePush?: Command;
  /** Brings a WAL file back; its name and the path for it are appended. */
  readonly archiveGet?: Command;
  /** Takes a full backup. */
  readonly backup: Command;
  /** Restores that backup into a directory that does not exist. */
  readonly restore: (directory: string) => Command;
  /**
   * How PostgreSQL opens what was restored: by itself, with the tool's recovery settings, with
   * `recovery.signal` and a `restore_command` that the harness writes, or not at all.
   */
  readonly opens: 'alone' | 'as-restored' | 'by-harness' | 'never';
}

/** A program that is compared. */
export interface Contender {
  readonly id: string;
  readonly title: string;
  /** One sentence on what is measured and with which settings. */
  readonly note: string;
  /** No backup program, but what this machine can do at best. */
  readonly isLimit?: boolean;
  /** How to install it when it is not there; `undefined` when it is. */
  readonly absent: () => string | undefined;
  /** Why it takes no part in this comparison; `undefined` when it does. */
  readonly excluded: (flavour: Flavour) => string | undefined;
  readonly open: (site: Site) => Session;
}

/** For encrypted comparisons. It protects nothing. */
export const KEY_HEX = `${'00'.repeat(31)}2a`;

/** By which libpq's variables name the server. */
export function connectionEnv(server: Server): Record<string, string> {
  return { PGHOST: server.socketDir, PGPORT: String(server.port), PGUSER: server.user };
}
