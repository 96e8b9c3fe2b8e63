import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from '../measure/run-measured.ts';
import type { Contender, Flavour, Session, Site } from './contender.ts';

/**
 * The least this machine can do: as many pipelines `cat | compressor` as processors, over the same
 * files, into the same directory. No tar, no checksums, no WAL, nothing that PostgreSQL could open.
 */
export const floor: Contender = {
  id: 'floor',
  isLimit: true,
  title: 'floor',
  note: 'cat of the same files through lz4 -1 or zstd -3, one pipeline a processor; no archive format, no checks',
  absent: () => undefined,
  excluded,
  open,
};

const COMPRESS = { lz4: 'lz4 -q -1 -c', zstd: 'zstd -q -3 -c' } as const;
const DECOMPRESS = { lz4: 'lz4 -q -dc', zstd: 'zstd -q -dc' } as const;

function excluded({ store, encrypted }: Flavour): string | undefined {
  if (store === 's3') return 'it writes into a directory only';
  return encrypted ? 'it does not encrypt' : undefined;
}

function open(site: Site): Session {
  const target = site.repository.env['WALG_FILE_PREFIX'] ?? '';
  shareOut(site.server.dataDir, site.width).forEach((paths, i) => {
    writeFileSync(join(site.folder, `${i}.list`), paths.join('\0'));
  });
  const shell = (script: string, args: readonly string[]): Command => ({
    program: '/bin/bash',
    args: ['-c', script, 'floor', site.folder, target, ...args],
    env: {},
  });
  const all = (work: string): string =>
    `for i in $(seq 0 ${site.width - 1}); do (set -o pipefail; ${work}) & pids+=($!); done
     for pid in "\${pids[@]}"; do wait "$pid" || exit 1; done`;
  return {
    backup: shell(all(`xargs -0 cat < "$1/$i.list" | ${COMPRESS[site.codec]} > "$2/$i"`), []),
    restore: (directory) =>
      shell(`mkdir "$3"; ${all(`${DECOMPRESS[site.codec]} "$2/$i" > "$3/$i"`)}`, [directory]),
    opens: 'never',
  };
}

/** Files of the cluster without WAL, as evenly over `count` lists as sizes allow. */
function shareOut(dataDir: string, count: number): readonly (readonly string[])[] {
  const files = readdirSync(dataDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('/pg_wal'))
    .map(({ parentPath, name }) => join(parentPath, name))
    .map((path) => ({ path, bytes: statSync(path).size }))
    .sort((a, b) => b.bytes - a.bytes);
  const shares = Array.from({ length: count }, () => ({ bytes: 0, paths: new Array<string>() }));
  for (const { path, bytes } of files) {
    const least = shares.reduce((a, b) => (b.bytes < a.bytes ? b : a));
    least.bytes += bytes;
    least.paths.push(path);
  }
  return shares.map(({ paths }) => paths);
}
