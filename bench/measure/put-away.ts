import { existsSync, lstatSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { systemErrorCode } from '@tsbk/core/kernel/errors';

const awaiting = new Set<string>();
process.on('exit', () => {
  for (const path of awaiting) rmSync(path, { recursive: true, force: true });
});

/**
 * Frees the space of directories that a measurement has left, and removes them when this process ends.
 * Not before, because ext4 without a journal looks at every inode that was freed within the last
 * minutes whenever a file is made: whoever restores after others would pay for what they left.
 */
export function putAway(...paths: readonly string[]): void {
  for (const path of paths) {
    if (!existsSync(path)) continue;
    awaiting.add(path);
    for (const file of filesBelow(path)) empty(file);
  }
}

/**
 * A file with another name is the content of someone else, and what a program that is just ending
 * removes is gone.
 */
function empty(file: string): void {
  try {
    if (lstatSync(file).nlink === 1) truncateSync(file, 0);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  }
}

function filesBelow(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
}
