import { isTsbkError, TsbkError } from '../kernel/errors.ts';
import type { BlobStore, PutOptions, PutOutcome, Upload } from '../ports/blob-store.ts';
import type { RetryOptions } from './backoff.ts';
import { hasContent } from './has-content.ts';
import { resumingBody } from './resuming-body.ts';
import { resumingFolders, resumingList, resumingUnfinished } from './resuming-list.ts';
import { tryAgain } from './try-again.ts';

export type { RetryOptions } from './backoff.ts';

/**
 * `store`, tried again where that can help. Bodies and lists that break off go on where they
 * stopped. A put if absent that fails without a clear outcome and is then told `exists` may have
 * met its own first attempt: the content decides, so that whoever wrote just these bytes may be
 * told `stored`. Each attempt is reported.
 */
export function retrying(store: BlobStore, options: RetryOptions): BlobStore {
  const again = <T>(what: string, signal: AbortSignal, action: () => Promise<T>): Promise<T> =>
    tryAgain(what, { signal, options }, action);
  return {
    url: store.url,
    limits: store.limits,
    stat: (key, call) => again(`stat ${key}`, call.signal, () => store.stat(key, call)),
    confirm: (key, call) => again(`confirm ${key}`, call.signal, () => store.confirm(key, call)),
    get: async (key, call) => {
      const blob = await again(`get ${key}`, call.signal, () => store.get(key, call));
      return blob && { info: blob.info, body: resumingBody(store, blob, call, options) };
    },
    put: (key, bytes, call) => put({ store, options }, { key, bytes }, call),
    upload: async (key, call) => {
      const upload = await again(`begin ${key}`, call.signal, () => store.upload(key, call));
      return retryingUpload(upload, key, options);
    },
    list: (prefix, call) => resumingList(store, prefix, call, options),
    folders: (prefix, call) => resumingFolders(store, prefix, call, options),
    unfinished: (prefix, call) => resumingUnfinished(store, prefix, call, options),
    remove: (key, call) => again(`remove ${key}`, call.signal, () => store.remove(key, call)),
    close: () => store.close(),
  };
}

function retryingUpload(upload: Upload, key: string, options: RetryOptions): Upload {
  return {
    part: (part, { signal }) =>
      tryAgain(`send part ${part.number} of ${key}`, { signal, options }, () =>
        upload.part(part, { signal }),
      ),
    complete: ({ signal }) =>
      tryAgain(`complete ${key}`, { signal, options }, () => upload.complete({ signal })),
    abort: ({ signal }) =>
      tryAgain(`abort ${key}`, { signal, options }, () => upload.abort({ signal })),
  };
}

function put(
  { store, options }: { readonly store: BlobStore; readonly options: RetryOptions },
  { key, bytes }: { readonly key: string; readonly bytes: Uint8Array },
  call: PutOptions,
): Promise<PutOutcome> {
  const { signal } = call;
  return tryAgain(`put ${key}`, { signal, options }, async (earlier) => {
    const outcome = await store.put(key, bytes, call);
    if (outcome === 'stored' || earlier === undefined) return outcome;
    if (await hasContent(store, key, bytes, { signal })) return 'stored';
    // What is there may be what the earlier attempt made of our bytes.
    if (isTsbkError(earlier, 'store-corrupt-write')) throw asFinal(earlier);
    return 'exists';
  });
}

function asFinal({ code, message, hint, cause }: TsbkError): TsbkError {
  return new TsbkError(code, message, { hint, cause, retry: false });
}
