import { describe } from 'node:test';
import type { BlobStore } from '@tsbk/core/ports/blob-store';
import { absenceContract } from './blob-store/absence.ts';
import { cancelContract } from './blob-store/cancel.ts';
import { confirmContract } from './blob-store/confirm.ts';
import { listContract } from './blob-store/list.ts';
import { modelContract } from './blob-store/model.ts';
import { putContract } from './blob-store/put.ts';
import { readContract } from './blob-store/read.ts';
import { uploadContract } from './blob-store/upload.ts';

/** A store to test, empty and alone. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly store: BlobStore;
  /** The same kind of store whose directory or bucket does not exist. */
  readonly missing: BlobStore;
}

export type OpenStore = () => Promise<StoreUnderTest>;

/** Holds a store to the promises of `ports/blob-store`. Every store passes all of it. */
export function blobStoreContract(name: string, open: OpenStore): void {
  describe(name, () => {
    putContract(open);
    confirmContract(open);
    readContract(open);
    uploadContract(open);
    listContract(open);
    absenceContract(open);
    cancelContract(open);
    modelContract(open);
  });
}
