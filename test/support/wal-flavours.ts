import assert from 'node:assert/strict';
import { join } from 'node:path';
import { pushWal, serverFolder } from './wal-commands.ts';
import { segmentContent, writeWalFile } from './wal-file.ts';

/** A key for tests. It protects nothing. */
export const SODIUM_KEY = {
  WALG_LIBSODIUM_KEY: `${'00'.repeat(31)}2a`,
  WALG_LIBSODIUM_KEY_TRANSFORM: 'hex',
};

/** Ways in which a segment can lie in a repository. */
const FLAVOURS = {
  lz4: { extension: '.lz4', env: { WALG_COMPRESSION_METHOD: 'lz4' } },
  zstd: { extension: '.zst', env: { WALG_COMPRESSION_METHOD: 'zstd' } },
  brotli: { extension: '.br', env: { WALG_COMPRESSION_METHOD: 'brotli' } },
  none: { extension: '', env: { WALG_COMPRESSION_METHOD: 'none' } },
  'lz4 under libsodium': {
    extension: '.lz4',
    env: { WALG_COMPRESSION_METHOD: 'lz4', ...SODIUM_KEY },
  },
  'none under libsodium': {
    extension: '',
    env: { WALG_COMPRESSION_METHOD: 'none', ...SODIUM_KEY },
  },
} as const;

export type WalFlavour = keyof typeof FLAVOURS;

export const WAL_FLAVOURS = Object.keys(FLAVOURS) as readonly WalFlavour[];

/** A repository in a directory, with one segment in it. */
export interface FlavouredArchive {
  readonly root: string;
  readonly env: Readonly<Record<string, string>>;
  /** Path of the segment's object. */
  readonly object: string;
}

/** Archives the segment `name` (of 1 MiB) in each way, each time in a repository of its own. */
export async function archiveInAllFlavours(
  name: string,
): Promise<(flavour: WalFlavour) => FlavouredArchive> {
  const path = writeWalFile(serverFolder('wal'), name, segmentContent(name));
  const archives = new Map<WalFlavour, FlavouredArchive>();
  for (const flavour of WAL_FLAVOURS) {
    const root = serverFolder('repository');
    const env = { WALG_FILE_PREFIX: root, ...FLAVOURS[flavour].env };
    const pushed = await pushWal(path, env);
    assert.equal(pushed.code, 0, pushed.stderr);
    const object = join(root, `wal_005/${name}${FLAVOURS[flavour].extension}`);
    archives.set(flavour, { root, env, object });
  }
  return (flavour) => archives.get(flavour) ?? assert.fail(flavour);
}
