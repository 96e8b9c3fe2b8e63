import type { Receipt } from '../../ports/lanes.ts';
import type { FileList, TarNames } from '../file-list.ts';
import { filesMetadataKey } from '../layout.ts';
import { putStream } from '../put-stream.ts';
import type { Repository, RunOptions } from '../repository.ts';
import { appeared } from '../write-object.ts';
import type { PackedPart } from './open-parts.ts';

/** It is sent by the thread that has everything else in its memory, and nothing waits for speed. */
const RECORD_PART_BYTES = 1024 * 1024;

/** Writes `files_metadata.json` of a backup whose tars are stored. Throws `object-exists`. */
export async function storeFilesMetadata(
  repository: Repository,
  made: {
    readonly name: string;
    readonly list: FileList;
    readonly parts: readonly PackedPart[];
    readonly labels: Receipt;
    /** Members of `DatabasesByNames`, if anybody knows how tables are called. */
    readonly databases?: Iterable<Pick<TarNames, 'read'>>;
  },
  { signal }: RunOptions,
): Promise<void> {
  const { store } = repository;
  const { name, list, labels } = made;
  const basename = (key: string): string => key.slice(key.lastIndexOf('/') + 1);
  const ofLabels = list.tar();
  for (const file of ['tablespace_map', 'backup_label']) await ofLabels.add(file);
  const tars: (readonly [string, TarNames])[] = made.parts.map(({ receipt, names }) => [
    basename(receipt.key),
    names,
  ]);
  tars.push([basename(labels.key), ofLabels]);
  const partBytes = Math.max(RECORD_PART_BYTES, store.limits.partBytesMin);
  const options = { ifAbsent: true, signal, partBytes, partsInFlight: 1 };
  const key = filesMetadataKey(name);
  const { outcome } = await putStream(store, key, list.document(tars, made.databases), options);
  if (outcome === 'exists') throw appeared(key);
}
