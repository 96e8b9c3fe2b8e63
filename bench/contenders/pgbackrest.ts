import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from '../measure/run-measured.ts';
import { KEY_HEX, type Contender, type Flavour, type Session, type Site } from './contender.ts';

/** The reference of this field, with as many processes as tsbk has lanes. */
export const pgBackRest: Contender = {
  id: 'pgbackrest',
  title: 'pgBackRest',
  note: 'process-max = lanes of tsbk, start-fast, full backup; aes-256-cbc when encrypted',
  absent: () => (isInstalled() ? undefined : 'apt-get install pgbackrest'),
  excluded,
  open,
};

/** Levels that are the default of WAL-G's encoders, too. */
const LEVELS = { lz4: ['lz4', '1'], zstd: ['zst', '3'] } as const;

function excluded({ store }: Flavour): string | undefined {
  return store === 's3'
    ? 'it speaks S3 over TLS only, which would cost it what the others do not pay'
    : undefined;
}

function open(site: Site): Session {
  const run = pgBackRestIn(site);
  return {
    prepare: run(['stanza-create']),
    archivePush: run(['archive-push']),
    archiveGet: run(['archive-get']),
    backup: run(['backup', '--type=full']),
    restore: (directory) => run(['restore', `--pg1-path=${directory}`]),
    opens: 'as-restored',
  };
}

/** Writes its configuration for a server and a repository, and makes its commands. */
export function pgBackRestIn(
  site: Site,
  options: readonly string[] = [],
): (args: readonly string[]) => Command {
  const config = join(site.folder, 'pgbackrest.conf');
  const server = [
    `pg1-path=${site.server.dataDir}`,
    `pg1-socket-path=${site.server.socketDir}`,
    `pg1-port=${site.server.port}`,
    `pg1-user=${site.server.user}`,
  ];
  writeFileSync(config, configuration(site, options, server));
  return (args) => ({
    program: 'pgbackrest',
    args: [`--config=${config}`, '--stanza=bench', ...args],
    env: {},
  });
}

/** Text of a configuration file, and the folders that it names. */
export function configuration(
  site: Pick<Site, 'codec' | 'encrypted' | 'repository' | 'width' | 'folder'>,
  options: readonly string[],
  server: readonly string[],
): string {
  for (const name of ['lock', 'spool']) mkdirSync(join(site.folder, name), { recursive: true });
  const [type, level] = LEVELS[site.codec];
  const cipher = site.encrypted
    ? ['repo1-cipher-type=aes-256-cbc', `repo1-cipher-pass=${KEY_HEX}`]
    : [];
  return [
    '[global]',
    `repo1-path=${site.repository.env['WALG_FILE_PREFIX'] ?? ''}`,
    'repo1-retention-full=9',
    ...cipher,
    `compress-type=${type}`,
    `compress-level=${level}`,
    `process-max=${site.width}`,
    'start-fast=y',
    ...options,
    `lock-path=${join(site.folder, 'lock')}`,
    `spool-path=${join(site.folder, 'spool')}`,
    'log-level-file=off',
    'log-level-console=off',
    'log-level-stderr=error',
    '[bench]',
    ...server,
    '',
  ].join('\n');
}

function isInstalled(): boolean {
  return spawnSync('pgbackrest', ['version']).status === 0;
}
