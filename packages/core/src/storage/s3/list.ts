import { TsbkError } from '../../kernel/errors.ts';
import { compareKeys, isObjectKey } from '../../kernel/object-key.ts';
import type { BlobInfo, CallOptions, ListOptions } from '../../ports/blob-store.ts';
import { toInfo } from './head.ts';
import { listPage, type ListPage, type ListQuery } from './list-page.ts';
import { bucketPrefix, type S3Target } from './target.ts';

/** Objects below a prefix, sorted; one page of them in memory. */
export async function* listObjects(
  target: S3Target,
  prefix: string,
  options: ListOptions,
): AsyncGenerator<BlobInfo> {
  const query: ListQuery = {
    prefix: bucketPrefix(target, prefix),
    delimiter: options.shallow === true,
    after: options.after === undefined ? undefined : `${target.root}${options.after}`,
  };
  const isNew = ascending(target);
  for await (const page of pagesOf(target, query, options)) {
    for (const entry of page.entries) {
      if (!isNew(entry.key)) continue;
      const key = entry.key.slice(target.root.length);
      // Folder markers (`a/`) and names that no tool of ours could have written.
      if (isObjectKey(key)) yield toInfo(key, entry);
    }
  }
}

/** Names of the folders directly below a prefix. */
export async function* listFolders(
  target: S3Target,
  prefix: string,
  options: CallOptions,
): AsyncGenerator<string> {
  const query = { prefix: bucketPrefix(target, prefix), delimiter: true, after: undefined };
  const isNew = ascending(target);
  for await (const page of pagesOf(target, query, options)) {
    for (const folder of page.folders) {
      const name = folder.slice(query.prefix.length, -1);
      if (isNew(folder) && isObjectKey(name)) yield name;
    }
  }
}

/** Empty pages in a row that a service may give before we call it broken. */
const EMPTY_PAGES_MAX = 100;

async function* pagesOf(
  target: S3Target,
  query: ListQuery,
  options: CallOptions,
): AsyncGenerator<ListPage> {
  let next: string | undefined;
  let empty = 0;
  do {
    const page = await listPage(target, query, next, options);
    yield page;
    empty = page.entries.length + page.folders.length === 0 ? empty + 1 : 0;
    if (page.next !== undefined && (page.next === next || empty > EMPTY_PAGES_MAX)) {
      throw new TsbkError('store-failed', `the list of ${target.url} does not come to an end`);
    }
    next = page.next;
  } while (next !== undefined);
}

/**
 * Says of each name whether it is after the one before. The same again is not. Throws
 * `store-failed` for one that lies before: the port promises order.
 */
function ascending(target: S3Target): (name: string) => boolean {
  let last: string | undefined;
  return (name) => {
    const order = last === undefined ? 1 : compareKeys(name, last);
    if (order < 0) {
      throw new TsbkError('store-failed', `the list of ${target.url} is not in order`, {
        hint: 'S3 Express directory buckets do not sort; use a general purpose bucket.',
      });
    }
    last = name;
    return order > 0;
  };
}
