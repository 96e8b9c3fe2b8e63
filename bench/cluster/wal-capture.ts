import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { giveToServerUser, scratchPath } from '@tsbk/test/support/postgres';

/** Keeps the WAL that a load writes. */
export interface WalCapture {
  readonly archiveCommand: string;
  /** Paths of so many consecutive segments from the middle of what was written; the others go. */
  readonly keep: (count: number) => string[];
}

/** An `archive_command` that copies, and the choice among the copies. */
export function captureWal(): WalCapture {
  const folder = scratchPath('wal');
  mkdirSync(folder);
  const script = join(folder, 'copy');
  writeFileSync(script, `#!/bin/sh\nexec cp "$1" ${folder}/"$2"\n`);
  chmodSync(script, 0o755);
  giveToServerUser(folder);
  return {
    archiveCommand: `${script} %p %f`,
    keep: (count) => {
      const names = readdirSync(folder)
        .filter((name) => /^[0-9A-F]{24}$/.test(name))
        .sort();
      const first = Math.max(0, Math.floor((names.length - count) / 2));
      const kept = new Set(names.slice(first, first + count));
      for (const name of names) if (!kept.has(name)) rmSync(join(folder, name));
      return [...kept].map((name) => join(folder, name));
    },
  };
}
