import { join } from 'node:path';
import { parseLsn } from '@tsbk/core/kernel/lsn';
import { connectionEnv } from '../support/archiving-server.ts';
import type { Server } from '../support/postgres.ts';
import { installedTsbk, runTsbk } from '../support/tsbk.ts';
import { serverFolder } from '../support/wal-commands.ts';
import { helperOf } from './helper.ts';

/**
 * One way to get WAL into the repository and back. The campaign starts and kills what belongs to it
 * by this interface alone, and judges all of them alike.
 */
export interface Way {
  readonly name: WayName;
  /** Shell text that pushes the file at `$1` with the name `$2`. */
  readonly push: string;
  /** Shell text that fetches the file with the name `$1` to `$2`. */
  readonly get: string;
  /** What the command line of a process of a push or fetch contains. */
  readonly program: RegExp;
  /** Settings of tsbk for the server and the helper of this way. */
  readonly env: Readonly<Record<string, string>>;
  /** Settings of tsbk for restored servers. */
  readonly restoreEnv: Readonly<Record<string, string>>;
  /** Whether something runs beside the server. */
  readonly hasHelper: boolean;
  /**
   * Starts what runs beside the server, unless it runs; called again after it may have been killed. With
   * a failpoint it may end at once.
   */
  start(site: WaySite, failpoint?: string): Promise<void>;
  /** Processes beside the server that may be killed. */
  helpers(): readonly number[];
  /**
   * Position before which everything since the base backup is promised to be in the repository,
   * beyond what is acknowledged by file; `undefined` if the way promises nothing more.
   */
  promised(server: Server): Promise<bigint | undefined>;
  /** Ends what it started. */
  stop(): Promise<void>;
}

export interface WaySite {
  readonly server: Server;
  /** Settings of the repository and of the way. */
  readonly env: Readonly<Record<string, string>>;
}

/** All there are; a seed chooses among them. */
export const WAYS = ['commands', 'daemon', 'curl', 'receive'] as const;

export type WayName = (typeof WAYS)[number];

/** The command that a way needs beside those of every installation. */
const NEEDED = { commands: '', daemon: 'daemon', curl: 'daemon', receive: 'wal-receive' } as const;

/** Whether the installed `tsbk` has what the way needs. */
export async function isAvailable(name: WayName): Promise<boolean> {
  return (await runTsbk(['help', NEEDED[name]].filter((word) => word !== ''))).code === 0;
}

export function wayOf(name: WayName): Way {
  switch (name) {
    case 'commands':
      return commandsAlone();
    case 'daemon':
      return withDaemon();
    case 'curl':
      return curlToDaemon();
    case 'receive':
      return withReceiver();
  }
}

/** The two commands alone. */
function commandsAlone(): Way {
  const { archivePush, archiveGet } = installedTsbk();
  return {
    name: 'commands',
    push: `${archivePush} "$1"`,
    get: `${archiveGet} "$1" "$2"`,
    program: /tsbk-archive-(push|get)/,
    env: {},
    restoreEnv: {},
    hasHelper: false,
    start: () => Promise.resolve(),
    helpers: () => [],
    promised: () => Promise.resolve(undefined),
    stop: () => Promise.resolve(),
  };
}

/** The commands, and a daemon that they find. */
function withDaemon(): Way {
  const socket = join(serverFolder('daemon'), 'sock');
  const helper = helperOf(['daemon', socket], (said) => /^serving /m.test(said));
  return {
    ...commandsAlone(),
    name: 'daemon',
    env: { TSBK_DAEMON_SOCKET: socket },
    hasHelper: true,
    start: ({ server, env }, failpoint) =>
      helper.start({ ...env, PGDATA: server.dataDir, ...failing(failpoint) }),
    helpers: () => helper.pids(),
    stop: () => helper.stop(),
  };
}

/** `curl`, which has nothing to fall back to, and a daemon. */
function curlToDaemon(): Way {
  const way = withDaemon();
  const socket = way.env['TSBK_DAEMON_SOCKET'] ?? '';
  const options = `--silent --show-error --fail-with-body --max-time 30 --unix-socket ${socket}`;
  return {
    ...way,
    name: 'curl',
    push: `curl ${options} --request POST "http://tsbk/archive-push?path=$1"`,
    program: /^curl|tsbk-archive-get/,
  };
}

/** The commands, and a receiver beside them, whose flush positions are promises too. */
function withReceiver(): Way {
  let site: WaySite | undefined;
  let most = 0n;
  const helper = helperOf(['wal-receive', '--create-slot'], async () => {
    const rows = await site?.server
      .query('select from pg_stat_replication where flush_lsn is not null')
      .catch(() => []);
    return rows !== undefined && rows.length > 0;
  });
  return {
    ...commandsAlone(),
    name: 'receive',
    restoreEnv: { TSBK_GET_OPEN_SEGMENT: 'always' },
    hasHelper: true,
    start: async (given, failpoint) => {
      site = given;
      const { server, env } = given;
      await helper.start({
        ...env,
        ...connectionEnv(server),
        TSBK_RECEIVE_FLUSH: '300ms',
        ...failing(failpoint),
      });
    },
    helpers: () => helper.pids(),
    promised: async (server) => {
      const rows = await server
        .query<{ lsn: string | null }>(
          'select max(flush_lsn)::text as lsn from pg_stat_replication',
        )
        .catch(() => []);
      const lsn = parseLsn(rows[0]?.lsn ?? '') ?? 0n;
      if (lsn > most) most = lsn;
      return most;
    },
    stop: () => helper.stop(),
  };
}

function failing(failpoint: string | undefined): Record<string, string> {
  return failpoint === undefined ? {} : { TSBK_FAILPOINT: failpoint };
}
