import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, release, totalmem } from 'node:os';
import { formatSize } from '@tsbk/core/kernel/size';
import { scratchPath } from '@tsbk/test/support/postgres';

/** The machine as far as it matters to who compares numbers. */
export function describeMachine(): Record<string, string> {
  return {
    processor: `${cpus()[0]?.model.trim() ?? 'unknown'}, ${availableParallelism()} usable`,
    memory: formatSize(totalmem()),
    system: `${distribution()}, Linux ${release()}, ${arch()}`,
    'file system': fileSystem(),
  };
}

/** First lines of what the programs say of themselves; absent ones are left out. */
export function describeVersions(): Record<string, string> {
  const found: Record<string, string> = { node: process.version };
  const walg = process.env['WALG_BIN'];
  const programs: readonly (readonly [string, string, string])[] = [
    ['wal-g', walg === undefined || walg === '' ? 'wal-g' : walg, '--version'],
    ['pgbackrest', 'pgbackrest', 'version'],
    ['lz4', 'lz4', '--version'],
    ['zstd', 'zstd', '--version'],
  ];
  for (const [name, program, argument] of programs) {
    const { stdout, status } = spawnSync(program, [argument], { encoding: 'utf8' });
    if (status === 0) found[name] = stdout.trim().split('\n')[0] ?? '';
  }
  return found;
}

function distribution(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? '';
  } catch {
    return 'unknown distribution';
  }
}

function fileSystem(): string {
  const folder = scratchPath('x').replace(/\/[^/]*$/, '');
  const { stdout } = spawnSync('stat', ['-f', '-c', '%T', folder], { encoding: 'utf8' });
  return stdout.trim();
}
