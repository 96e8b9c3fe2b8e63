import { clientTool } from '@tsbk/test/support/postgres';
import type { Command } from '../measure/run-measured.ts';
import {
  connectionEnv,
  type Contender,
  type Flavour,
  type Session,
  type Site,
} from './contender.ts';

/** PostgreSQL's own tool: one stream, one process, compressed by the client. */
export const pgBasebackup: Contender = {
  id: 'pg_basebackup',
  title: 'pg_basebackup',
  note: '--format=tar --wal-method=fetch, compressed by the client; restored by decompressor | tar',
  absent: () =>
    clientTool('pg_basebackup') === undefined ? 'apt-get install postgresql-client' : undefined,
  excluded,
  open,
};

const PROGRAMS = {
  lz4: { level: 'client-lz4:1', extension: 'lz4', decompress: 'lz4 -q -dc' },
  zstd: { level: 'client-zstd:3', extension: 'zst', decompress: 'zstd -q -dc' },
} as const;

function excluded({ store, encrypted }: Flavour): string | undefined {
  if (store === 's3') return 'it writes into a directory only';
  return encrypted ? 'it does not encrypt' : undefined;
}

function open(site: Site): Session {
  const { level, extension, decompress } = PROGRAMS[site.codec];
  const folder = `${site.repository.env['WALG_FILE_PREFIX']}/base`;
  const unpack = `mkdir -m 700 "$2" && ${decompress} "$1" | tar -x -C "$2"`;
  const restore = (directory: string): Command => ({
    program: '/bin/bash',
    args: [
      '-c',
      `set -o pipefail; ${unpack}`,
      'restore',
      `${folder}/base.tar.${extension}`,
      directory,
    ],
    env: {},
  });
  return {
    backup: {
      program: clientTool('pg_basebackup') ?? '',
      args: [
        `--pgdata=${folder}`,
        '--format=tar',
        '--wal-method=fetch',
        '--checkpoint=fast',
        `--compress=${level}`,
      ],
      env: connectionEnv(site.server),
    },
    restore,
    opens: 'alone',
  };
}
