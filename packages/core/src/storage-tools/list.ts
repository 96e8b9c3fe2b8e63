import type { Instant } from '../kernel/instant.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { RunOptions } from '../repository/repository.ts';

/** A line of a listing. Names are relative to the folder; that of a folder ends in a slash. */
export interface Listed {
  readonly kind: 'folder' | 'object';
  readonly name: string;
  readonly bytes: number;
  readonly modified?: Instant;
}

/**
 * What lies in a folder, folders first; with `recursive` all objects below it instead. Keeps
 * nothing in memory. A folder that does not exist is empty, as object stores have it.
 */
export async function* listFolder(
  store: BlobStore,
  path: string,
  { recursive, signal }: RunOptions & { readonly recursive: boolean },
): AsyncGenerator<Listed> {
  const folder = folderPrefix(path);
  if (!recursive) {
    for await (const name of store.folders(folder, { signal })) {
      yield { kind: 'folder', name: `${name}/`, bytes: 0 };
    }
  }
  const objects = store.list(folder, { signal, ...(recursive ? {} : { shallow: true }) });
  for await (const { key, bytes, modified } of objects) {
    yield { kind: 'object', name: key.slice(folder.length), bytes, modified };
  }
}

/** `a/b`, `/a/b/` and `a/b/` name the same folder: `a/b/`; nothing and `/` the root: ``. */
export function folderPrefix(path: string): string {
  const trimmed = path.replaceAll(/^\/+|\/+$/g, '');
  return trimmed === '' ? '' : `${trimmed}/`;
}
