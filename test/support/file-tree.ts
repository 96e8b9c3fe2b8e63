import { createHash } from 'node:crypto';
import { createReadStream, lstatSync, readdirSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';

/** A file, folder or link. Paths are the raw bytes, each as one character (latin1). */
export interface TreeEntry {
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'link';
  /** Permission bits. */
  readonly mode: number;
  readonly bytes: number;
}

/** Everything below a directory, links not followed. */
export function treeOf(root: string): TreeEntry[] {
  return entriesBelow(Buffer.from(root), Buffer.alloc(0));
}

/** SHA-256 of every file below a directory, by path. What two moments have in common is unchanged. */
export async function contentOfTree(root: string): Promise<Readonly<Record<string, string>>> {
  const digests: Record<string, string> = {};
  for (const { path, kind } of treeOf(root)) {
    if (kind !== 'file') continue;
    digests[path] = await sha256OfFile(
      Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, 'latin1')]),
    );
  }
  return digests;
}

/** SHA-256 of a file in hexadecimal. */
export async function sha256OfFile(path: string | Buffer): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash);
  return hash.digest('hex');
}

function entriesBelow(root: Buffer, folder: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = [];
  const here = Buffer.concat([root, Buffer.from('/'), folder]);
  for (const name of readdirSync(here, { encoding: 'buffer' })) {
    const path = Buffer.concat([folder, name]);
    const stat = lstatSync(Buffer.concat([here, name]));
    const kind = stat.isDirectory() ? 'folder' : stat.isSymbolicLink() ? 'link' : 'file';
    const bytes = kind === 'file' ? stat.size : 0;
    entries.push({ path: path.toString('latin1'), kind, mode: stat.mode & 0o7777, bytes });
    if (kind === 'folder')
      entries.push(...entriesBelow(root, Buffer.concat([path, Buffer.from('/')])));
  }
  return entries;
}
