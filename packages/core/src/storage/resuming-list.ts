import { compareKeys } from '../kernel/object-key.ts';
import type {
  BlobInfo,
  BlobStore,
  CallOptions,
  ListOptions,
  UnfinishedUpload,
} from '../ports/blob-store.ts';
import { createBackoff, type RetryOptions } from './backoff.ts';
import { tryAgain } from './try-again.ts';

/** `store.list`, begun again after the last object it gave. */
export function resumingList(
  store: BlobStore,
  prefix: string,
  call: ListOptions,
  options: RetryOptions,
): AsyncIterable<BlobInfo> {
  let { after } = call;
  return resuming(
    `list ${prefix}`,
    { signal: call.signal, options },
    {
      open: () => store.list(prefix, { ...call, ...(after === undefined ? {} : { after }) }),
      isNew: () => true,
      passed: (info) => {
        after = info.key;
      },
    },
  );
}

/** `store.folders`, begun again; what was given before is skipped. */
export function resumingFolders(
  store: BlobStore,
  prefix: string,
  call: CallOptions,
  options: RetryOptions,
): AsyncIterable<string> {
  let last: string | undefined;
  return resuming(
    `list the folders of ${prefix}`,
    { signal: call.signal, options },
    {
      open: () => store.folders(prefix, call),
      isNew: (name) => last === undefined || compareKeys(`${name}/`, `${last}/`) > 0,
      passed: (name) => {
        last = name;
      },
    },
  );
}

/** `store.unfinished`, begun again; its uploads can be discarded with the same patience. */
export async function* resumingUnfinished(
  store: BlobStore,
  prefix: string,
  call: CallOptions,
  options: RetryOptions,
): AsyncIterable<UnfinishedUpload> {
  const seen = new Set<string>();
  const name = ({ key, started }: UnfinishedUpload): string => `${started} ${key}`;
  const uploads = resuming(
    `list the uploads of ${prefix}`,
    { signal: call.signal, options },
    {
      open: () => store.unfinished(prefix, call),
      isNew: (upload) => !seen.has(name(upload)),
      passed: (upload) => {
        seen.add(name(upload));
      },
    },
  );
  for await (const upload of uploads) {
    const { key, started } = upload;
    const discard: UnfinishedUpload['discard'] = ({ signal }) =>
      tryAgain(`discard ${key}`, { signal, options }, () => upload.discard({ signal }));
    yield { key, started, discard };
  }
}

interface Sequence<T> {
  readonly open: () => AsyncIterable<T>;
  readonly isNew: (item: T) => boolean;
  readonly passed: (item: T) => void;
}

async function* resuming<T>(
  what: string,
  { signal, options }: { readonly signal: AbortSignal; readonly options: RetryOptions },
  { open, isNew, passed }: Sequence<T>,
): AsyncGenerator<T> {
  const backoff = createBackoff(what, signal, options);
  for (;;) {
    try {
      for await (const item of fresh(open(), isNew)) {
        passed(item);
        backoff.reset();
        yield item;
      }
      return;
    } catch (error) {
      await backoff.afterFailure(error);
    }
  }
}

async function* fresh<T>(items: AsyncIterable<T>, isNew: (item: T) => boolean): AsyncGenerator<T> {
  for await (const item of items) if (isNew(item)) yield item;
}
