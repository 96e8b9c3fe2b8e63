import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseWalFileName, type WalFileName } from '../kernel/wal-file.ts';

const READY = '.ready';

/**
 * Names of files that PostgreSQL wants archived, in the order in which it will ask for them: history
 * files, then all others by name (`src/backend/postmaster/pgarch.c`). At most `most`, and no more
 * than a few times as many in memory, however long the backlog is. Nothing there is changed, and
 * nothing at all is told of a directory that cannot be read.
 */
export async function readyFiles(walDirectory: string, most: number): Promise<WalFileName[]> {
  const found: WalFileName[] = [];
  try {
    const status = join(walDirectory, 'archive_status');
    for await (const { name } of await opendir(status, { bufferSize: 256 })) {
      if (!name.endsWith(READY)) continue;
      const file = parseWalFileName(name.slice(0, -READY.length));
      if (file === undefined) continue;
      found.push(file);
      if (found.length >= 4 * most) found.sort(inOrder).splice(most);
    }
  } catch {
    return [];
  }
  return found.sort(inOrder).slice(0, most);
}

function inOrder(a: WalFileName, b: WalFileName): number {
  const [first, second] = [a, b].map(({ kind }) => (kind === 'history' ? 0 : 1));
  if (first !== second) return (first ?? 0) - (second ?? 0);
  return a.name < b.name ? -1 : Number(a.name > b.name);
}
