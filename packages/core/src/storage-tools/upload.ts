import { TsbkError } from '../kernel/errors.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { Receipt } from '../ports/lanes.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { withExtension } from '../repository/layout.ts';
import { writeObject } from '../repository/write-object.ts';

export interface UploadRequest {
  /** Without the codec's extension, which is appended. */
  readonly key: string;
  readonly source: ByteSource;
  /** Replace what is there. */
  readonly overwrite: boolean;
}

/** The full key of what would be written. */
export function uploadKey({ writeCodec }: Repository, key: string): string {
  return withExtension(key, writeCodec.extension);
}

/** Stores an object. Throws `object-exists`, changing nothing, unless it may be replaced. */
export async function uploadObject(
  repository: Repository,
  { key, source, overwrite }: UploadRequest,
  { signal }: RunOptions,
): Promise<Receipt> {
  const full = uploadKey(repository, key);
  const { store } = repository;
  // The write decides; this saves the way there.
  if (!overwrite && (await store.stat(full, { signal })) !== undefined) throw exists(full);
  const object = { key, source, ifAbsent: !overwrite };
  const { outcome, ...receipt } = await writeObject(repository, object, { signal });
  if (outcome === 'exists') throw exists(full);
  return receipt;
}

function exists(key: string): TsbkError {
  return new TsbkError('object-exists', `${key} exists`, { hint: '--force replaces it.' });
}
