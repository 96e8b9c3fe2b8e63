import type { Receipt } from '../../ports/lanes.ts';
import { encodeHeader, endOfArchive, padding } from '../../format/tar/write.ts';
import { BACKUP_LABEL_TAR, partitionsFolder } from '../layout.ts';
import type { Repository, RunOptions } from '../repository.ts';
import { createObject } from '../write-object.ts';
import { sourceOf } from '../../stream/source.ts';
import { labelHeader } from './canonical.ts';

/** `backup_label` and `tablespace_map`, byte for byte as the server sent them. */
export interface LabelFiles {
  readonly label: Uint8Array;
  readonly tablespaceMap: Uint8Array;
  /** Permission bits: 0o640 in a cluster that its group may read. */
  readonly mode: number;
}

/**
 * Stores `backup_label` and `tablespace_map` as WAL-G does: one tar, bare names, in this order, the
 * map also when it is empty.
 */
export async function storeLabels(
  repository: Repository,
  { name, labels }: { readonly name: string; readonly labels: LabelFiles },
  { signal }: RunOptions,
): Promise<Receipt> {
  const chunks = [
    ...entry('backup_label', labels.label, labels.mode),
    ...entry('tablespace_map', labels.tablespaceMap, labels.mode),
    endOfArchive(),
  ];
  const key = `${partitionsFolder(name)}${BACKUP_LABEL_TAR}`;
  return await createObject(repository, { key, source: sourceOf(...chunks) }, { signal });
}

function entry(name: string, bytes: Uint8Array, mode: number): Uint8Array[] {
  const header = encodeHeader(labelHeader(name, bytes.length, mode));
  const chunks = [header, bytes, padding(bytes.length)];
  return chunks.filter((chunk) => chunk.length > 0);
}
