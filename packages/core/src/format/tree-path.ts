import type { TreePath } from '../kernel/tree-path.ts';
import { safeMemberPath, safeRawMemberPath } from './tar/safe-path.ts';

export const TREE_ROOT = '' as TreePath;

/** The path of a tar member or a manifest's file. Throws `unsafe-name` for what leads elsewhere. */
export function treePath(name: string, rawName?: Uint8Array): TreePath {
  const bytes =
    rawName === undefined ? Buffer.from(safeMemberPath(name)) : safeRawMemberPath(rawName);
  return Buffer.from(bytes).toString('latin1') as TreePath;
}

/** The directory that holds it; the root for what lies directly below it. */
export function parentPath(path: TreePath): TreePath {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0)) as TreePath;
}

/** The bytes to give to the operating system for a path below `base`. */
export function pathBytes(base: string, path: TreePath): Buffer {
  const root = Buffer.from(base);
  return path === '' ? root : Buffer.concat([root, SLASH, Buffer.from(path, 'latin1')]);
}

/** For messages. */
export function printable(path: TreePath): string {
  return Buffer.from(path, 'latin1').toString('utf8');
}

const SLASH = Buffer.from('/');
