import { dirname, basename, join } from 'node:path';
import type { Config } from '../settings/table.ts';

/**
 * Names a repository by everything that decides where its objects lie: two configurations of one
 * place lead to the same objects. Holds no secret. `undefined` if it is not set where it is.
 */
export function placeOf(config: Config): string | undefined {
  const folder = config.storagePrefix ?? '';
  if (config.filePrefix !== undefined) return `file ${join(config.filePrefix, folder)}`;
  if (config.s3Prefix === undefined) return undefined;
  const { s3Endpoint = '-', s3Region = '-', s3Profile = '-' } = config;
  return `${s3Endpoint} ${s3Region} ${s3Profile} ${config.s3Prefix} ${folder}`;
}

/**
 * The data directory of the server whose WAL file this is, as PostgreSQL names it in `%p`; `undefined`
 * for a file that lies elsewhere.
 */
export function dataDirectoryOf(path: string): string | undefined {
  const folder = dirname(path);
  return basename(folder) === 'pg_wal' ? dirname(folder) : undefined;
}
