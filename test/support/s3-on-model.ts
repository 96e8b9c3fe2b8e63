import type { BlobStore } from '@tsbk/core/ports/blob-store';
import { retrying } from '@tsbk/core/storage/retrying';
import { openS3Store, type S3Options } from '@tsbk/core/storage/s3/open';
import { createFakeClock, realClock } from './clock.ts';
import { startS3Model, type S3Model, type S3ModelOptions } from './s3-model/start.ts';
import { s3TestOptions } from './s3-store.ts';

/** A model of S3, alone, and a store on it. */
export interface OnModel extends AsyncDisposable {
  readonly model: S3Model;
  readonly store: BlobStore;
  readonly options: S3Options;
  /** A second client of the same repository. */
  another(extra?: Partial<S3Options>): Promise<BlobStore>;
}

const BUCKET = 'tsbk-model';

export async function onModel(
  given: { readonly options?: Partial<S3Options>; readonly model?: S3ModelOptions } = {},
): Promise<OnModel> {
  const model = await startS3Model({ buckets: [BUCKET], ...given.model });
  const options = s3TestOptions({ ...model, bucket: BUCKET }, given.options);
  const stores: BlobStore[] = [];
  const open = async (extra: Partial<S3Options> = {}): Promise<BlobStore> => {
    const store = await openS3Store({ ...options, ...extra }, { clock: realClock });
    stores.push(store);
    return store;
  };
  return {
    model,
    options,
    store: await open(),
    another: open,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(stores.map((store) => store.close()));
      await model.close();
    },
  };
}

/** `store` with retries that take no time. */
export function patient(store: BlobStore, attempts = 8): BlobStore {
  return retrying(store, {
    attempts,
    budgetMs: 3_600_000,
    baseMs: 100,
    capMs: 1000,
    clock: createFakeClock(),
    random: Math.random,
    report: () => {},
  });
}
