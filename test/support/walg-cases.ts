import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { libsodiumCipher } from '@tsbk/core/cipher/libsodium';
import { libsodiumKey } from '@tsbk/core/cipher/libsodium-key';
import { noCipher } from '@tsbk/core/cipher/none';
import { codecByExtension, codecByName, EXTENSIONS } from '@tsbk/core/codec/codecs';
import type { Repository } from '@tsbk/core/repository/repository';
import { openFileStore } from '@tsbk/core/storage/file/open';
import { realClock } from './clock.ts';
import type { PostgresVersion } from './postgres.ts';

/** A repository that WAL-G wrote, and what is in it (`test/fixtures/walg`). */
export interface WalgCase {
  readonly case: string;
  readonly pgVersion: string;
  readonly walSegmentBytes: number;
  readonly codec: string;
  readonly kind: string;
  /** What a reader must be told. */
  readonly env: Readonly<Record<string, string>>;
  /** Whether there is a backup to restore. */
  readonly complete: boolean;
  readonly backup: string;
  readonly backups: readonly string[];
  readonly rowsAtLatest: number;
  readonly rowsAtRestorePoint: number;
  readonly md5AtLatest: string;
  readonly md5AtRestorePoint: string;
  readonly restorePoint: string;
  readonly restorePointLsn: string;
  readonly database: string;
  readonly systemIdentifier: string;
  readonly tablespaces: readonly { readonly oid: number; readonly location: string }[];
  readonly wal: readonly { readonly name: string; readonly sha256: string }[];
}

const FOLDER = resolve(import.meta.dirname, '../fixtures/walg');

/** All cases, those without a base backup included. */
export function walgCases(): readonly WalgCase[] {
  return JSON.parse(readFileSync(join(FOLDER, 'cases.json'), 'utf8')) as WalgCase[];
}

/** The repository's directory. */
export function walgFolder({ case: name }: WalgCase): string {
  return join(FOLDER, name);
}

export function majorVersion({ pgVersion }: WalgCase): PostgresVersion {
  return Number.parseInt(pgVersion, 10) as PostgresVersion;
}

/** A repository in a directory, as `backup-fetch` opens it. */
export async function openDirectory(
  root: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Repository> {
  const key = env['WALG_LIBSODIUM_KEY'];
  return {
    store: openFileStore({ root }, { clock: realClock }),
    writeCodec: codecByName('lz4'),
    codecOf: codecByExtension,
    walExtensions: EXTENSIONS,
    cipher: key === undefined ? noCipher : await libsodiumCipher(libsodiumKey(key, 'hex')),
    clock: realClock,
    partBytes: 20 * 1024 * 1024,
    partsInFlight: 2,
  };
}
