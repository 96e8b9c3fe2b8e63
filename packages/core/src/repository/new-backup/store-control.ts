import { encodeHeader, endOfArchive, padding } from '../../format/tar/write.ts';
import type { SourceMember } from '../../ports/backup-source.ts';
import type { Receipt } from '../../ports/lanes.ts';
import { partitionsFolder, PG_CONTROL_TAR } from '../layout.ts';
import type { Repository, RunOptions } from '../repository.ts';
import { createObject } from '../write-object.ts';
import { sourceOf } from '../../stream/source.ts';
import { tarHeaderOf } from './canonical.ts';

/** Stores `pg_control` in a tar of its own: a restore puts it in place when all else is. */
export async function storeControl(
  repository: Repository,
  control: { readonly name: string; readonly member: SourceMember; readonly bytes: Uint8Array },
  { signal }: RunOptions,
): Promise<Receipt> {
  const { name, member, bytes } = control;
  const source = sourceOf(
    encodeHeader(tarHeaderOf(member)),
    bytes,
    padding(bytes.length),
    endOfArchive(),
  );
  const key = `${partitionsFolder(name)}${PG_CONTROL_TAR}`;
  return await createObject(repository, { key, source }, { signal });
}
