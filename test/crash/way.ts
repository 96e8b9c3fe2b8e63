import type { Server } from '../support/postgres.ts';
import { installedTsbk } from '../support/tsbk.ts';

/**
 * One way to get WAL into the repository and back. The campaign starts and kills what belongs to it
 * by this interface alone, and judges all of them alike.
 */
export interface Way {
  readonly name: string;
  /** Shell text that pushes the file at `$1` with the name `$2`. */
  readonly push: string;
  /** Shell text that fetches the file with the name `$1` to `$2`. */
  readonly get: string;
  /** What the command line of a process of a push or fetch contains. */
  readonly program: RegExp;
  /** Settings of tsbk for servers and helpers of this way. */
  readonly env: Readonly<Record<string, string>>;
  /** Whether something runs beside the server. */
  readonly hasHelpers: boolean;
  /** Starts what runs beside the server, unless it runs; called again after it may have been killed. */
  start(site: WaySite): Promise<void>;
  /** Processes beside the server that may be killed. */
  helpers(): readonly number[];
  /**
   * Position before which everything is promised to be in the repository, beyond what is
   * acknowledged by file; `undefined` if the way promises nothing more.
   */
  promised(): Promise<bigint | undefined>;
  /** Ends what it started. */
  stop(): Promise<void>;
}

export interface WaySite {
  readonly server: Server;
  /** Settings of the repository and of the way. */
  readonly env: Readonly<Record<string, string>>;
}

/** The two commands alone. */
export function commandsAlone(): Way {
  const { archivePush, archiveGet } = installedTsbk();
  return {
    name: 'commands',
    push: `${archivePush} "$1"`,
    get: `${archiveGet} "$1" "$2"`,
    program: /tsbk-archive-(push|get)/,
    env: {},
    hasHelpers: false,
    start: () => Promise.resolve(),
    helpers: () => [],
    promised: () => Promise.resolve(undefined),
    stop: () => Promise.resolve(),
  };
}
