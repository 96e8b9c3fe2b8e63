import type { TsbkError } from '@tsbk/core/kernel/errors';
import type { ByteSource } from '@tsbk/core/ports/bytes';
import type { Clock } from '@tsbk/core/ports/clock';
import type { Report } from '@tsbk/core/ports/report';
import type { FlagSpec, GivenFlags } from '@tsbk/core/settings/argv';
import type { LoadedSettings } from '@tsbk/core/settings/load';
import type { ConfiguredCommand } from '@tsbk/core/settings/setting';
import type { Config } from '@tsbk/core/settings/table';

/** Every command there is; of two words where the first one is a group, in the order in which help shows them. */
export const COMMAND_NAMES = [
  'backup-push',
  'backup-fetch',
  'backup-merge',
  'backup-list',
  'backup-show',
  'extract',
  'archive-push',
  'archive-get',
  'wal-receive',
  'wal-show',
  'wal-verify',
  'daemon',
  'st ls',
  'st get',
  'st cat',
  'st put',
  'st rm',
  'st check',
  'st uploads',
  'st claims',
  'check',
  'config',
  'help',
  'version',
] as const;

export type CommandName = (typeof COMMAND_NAMES)[number];

export interface Positional {
  /** In capitals, as help shows it: `PGDATA`. */
  readonly name: string;
  readonly optional?: boolean;
  /** The last one may be given any number of times. */
  readonly repeatable?: boolean;
  readonly doc: string;
}

interface Example {
  /** What it is for, a sentence without full stop. */
  readonly purpose: string;
  readonly line: string;
}

/** What help, documentation and the parser know of a command; how it runs is told in `runs.ts`. */
export interface CommandDeclaration {
  readonly name: CommandName;
  /** WAL-G's name for it, where it has another. */
  readonly aliases: readonly string[];
  readonly group:
    | 'Backups'
    | 'Called by PostgreSQL'
    | 'Long-running'
    | 'Storage tools'
    | 'Looking after it';
  /** Completes "tsbk NAME - ". */
  readonly summary: string;
  /** Paragraphs. */
  readonly description: readonly string[];
  readonly positionals: readonly Positional[];
  readonly flags: readonly FlagSpec[];
  /**
   * Which settings it reads: those that the table lists for a command; `any` for a command that
   * shows settings and must not fail on wrong ones; `none`.
   */
  readonly settings: ConfiguredCommand | 'any' | 'none';
  /** Exit codes that mean something else here than everywhere, or something besides. */
  readonly exits?: Readonly<Record<number, string>>;
  readonly examples: readonly Example[];
}

/** What a run is given. Nothing is taken from the process. */
export interface CommandContext {
  /** The name it was called by: a command that has WAL-G's name for an alias answers like WAL-G. */
  readonly invokedAs: string;
  readonly config: Config;
  readonly settings: LoadedSettings;
  /** What is wrong with the settings; empty unless the command reads `any`. */
  readonly problems: readonly TsbkError[];
  /** The environment with what options and settings file add for PostgreSQL client and AWS SDK. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly positionals: readonly string[];
  readonly flags: GivenFlags;
  readonly signal: AbortSignal;
  readonly report: Report;
  /** A result, to standard output. The line end may be left away. */
  readonly out: (text: string) => void;
  /** A result that is no text. Resolves when there is room for more. */
  readonly outBytes: (bytes: Uint8Array) => Promise<void>;
  readonly stdin: () => ByteSource;
  /** A message, to standard error. The line end may be left away. */
  readonly errOut: (text: string) => void;
  /** Whether standard output is a terminal, and how wide. */
  readonly isTerminal: boolean;
  readonly clock: Clock;
  /** Reads the settings once more, as they are now. Throws what is wrong with them. */
  readonly reloadSettings: () => Promise<LoadedSettings>;
  /** From now on SIGHUP does this instead of stopping the run. */
  readonly onHangup: (listener: () => void) => void;
  /** The current directory. */
  readonly cwd: string;
}

/** Runs a command and gives its exit code. Throws `TsbkError`, or the signal's reason. */
export type Run = (context: CommandContext) => number | Promise<number>;

/** The option that commands with a result have in common. */
export const JSON_FLAG: FlagSpec = {
  name: 'json',
  doc: 'Print the result as JSON on standard output, and messages as JSON lines on standard error.',
};
