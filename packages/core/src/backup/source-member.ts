import { isAscii, isUtf8 } from 'node:buffer';
import type { EntryFacts } from '../cluster/data-directory.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import type { SourceMember } from '../ports/backup-source.ts';

/** A file or directory of the file system in the shape in which a server's stream has it. */
export function sourceMember(
  kind: 'file' | 'directory',
  path: TreePath,
  { bytes, mode, modified, uid, gid }: EntryFacts & { readonly bytes: number },
): SourceMember {
  return { kind, ...pathOf(path), bytes, mode, modified, uid, gid };
}

/** Names are bytes: what is no UTF-8 keeps them beside a text for people. */
export function pathOf(path: TreePath): Pick<SourceMember, 'path' | 'rawPath'> {
  const bytes = Buffer.from(path, 'latin1');
  if (isAscii(bytes)) return { path };
  return isUtf8(bytes) ? { path: bytes.toString() } : { path: bytes.toString(), rawPath: bytes };
}
