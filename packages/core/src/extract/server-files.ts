import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemErrorCode } from '../kernel/errors.ts';
import { parseControlFile } from '../format/control-file.ts';
import { parsePostgresConf, quoteConfValue } from '../format/postgres-conf.ts';

/** The port is part of the socket's name only. */
export const SCRATCH_PORT = 5432;

type Setting = readonly [name: string, value: string];

export interface ServerFiles {
  readonly dataDirectory: string;
  /** Where files of the server's own go. */
  readonly root: string;
  readonly sockets: string;
  readonly major: number;
  /** How it recovers. */
  readonly recovery: readonly Setting[];
  /** `shared_preload_libraries` */
  readonly preload: readonly string[];
}

/**
 * Writes what a server needs to recover the directory and to be asked, and nothing of what the
 * original was configured to do: it must not be reached, archive, replicate, or run anything by
 * itself. Gives the path of its `postgresql.conf`.
 */
export async function writeServerFiles(files: ServerFiles): Promise<string> {
  const { dataDirectory, root } = files;
  const [conf, hba, ident] = ['postgresql.conf', 'pg_hba.conf', 'pg_ident.conf'].map((name) =>
    join(root, name),
  );
  const settings = [
    ...(await settingsOf(files)),
    ['hba_file', hba ?? ''] as const,
    ['ident_file', ident ?? ''] as const,
  ];
  const lines = settings.map(([name, value]) => `${name} = ${quoteConfValue(value)}\n`);
  // Nobody but its user and root comes near the socket: its directory has mode 0700.
  await writeFile(hba ?? '', 'local all all trust\n', { mode: 0o600 });
  await writeFile(ident ?? '', '', { mode: 0o600 });
  await writeFile(conf ?? '', lines.join(''), { mode: 0o600 });
  await writeFile(join(dataDirectory, 'postgresql.auto.conf'), '', { mode: 0o600 });
  await writeFile(join(dataDirectory, 'recovery.signal'), '', { mode: 0o600 });
  return conf ?? '';
}

async function settingsOf(files: ServerFiles): Promise<readonly Setting[]> {
  const { dataDirectory, sockets, major, recovery, preload } = files;
  const control = parseControlFile(await readFile(join(dataDirectory, 'global/pg_control')));
  return [
    ['listen_addresses', ''],
    ['unix_socket_directories', sockets],
    ['unix_socket_permissions', '0700'],
    ['port', String(SCRATCH_PORT)],
    ['archive_mode', 'off'],
    // No standby that is read: then a primary's max_connections and so on need not be matched.
    ['hot_standby', 'off'],
    ['max_connections', '10'],
    ['max_prepared_transactions', String(Math.max(100, control.maxPreparedTransactions))],
    ['max_locks_per_transaction', String(Math.max(1024, control.maxLocksPerTransaction))],
    ['max_wal_senders', '0'],
    // A subscription would go on at its publisher, and a job of an extension would run twice.
    ['max_logical_replication_workers', '0'],
    ['max_worker_processes', '0'],
    ['autovacuum', 'off'],
    ...(major >= 17 ? [['event_triggers', 'off'] as const] : []),
    ['shared_preload_libraries', preload.map((name) => `"${name}"`).join(', ')],
    ['fsync', 'off'],
    ['full_page_writes', 'off'],
    ['huge_pages', 'off'],
    ['jit', 'off'],
    ['logging_collector', 'off'],
    ['log_destination', 'stderr'],
    ['log_min_messages', 'error'],
    ['lc_messages', 'C'],
    ['restart_after_crash', 'off'],
    ...recovery,
  ];
}

/** The libraries that the original server loaded, by its configuration as far as the backup has it. */
export async function preloadLibraries(dataDirectory: string): Promise<readonly string[]> {
  let value = '';
  for (const name of ['postgresql.conf', 'postgresql.auto.conf']) {
    const content = await contentOf(join(dataDirectory, name));
    for (const setting of parsePostgresConf(content, name)) {
      if (setting.name === 'shared_preload_libraries') ({ value } = setting);
    }
  }
  const words = value.split(',').map((word) => word.trim().replaceAll('"', ''));
  return words.filter((word) => word !== '');
}

/** Where packages keep the configuration outside the data directory, backups have none of it. */
async function contentOf(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return new Uint8Array(0);
    throw error;
  }
}
