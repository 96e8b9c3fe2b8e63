import { readManifest } from '../format/manifest.ts';
import type { PromisedObject } from '../ports/extract.ts';
import { openVerified } from '../repository/open-verified.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { isWanted, type Selection } from '../repository/chain/selection.ts';

/** Bytes of a backup's files by where they go. */
export interface MeasuredFiles {
  /** In the data directory itself. */
  readonly dataDirBytes: number;
  /** By OID of the tablespace. */
  readonly tablespaceBytes: ReadonlyMap<string, number>;
  readonly totalBytes: number;
}

const TABLESPACE = /^pg_tblspc\/(\d+)\//;

/** Adds up the sizes of the wanted files that a manifest lists. Throws what `readManifest` and `openVerified` throw. */
export async function measureManifest(
  repository: Repository,
  manifest: PromisedObject,
  { selection, signal }: RunOptions & { readonly selection?: Selection | undefined },
): Promise<MeasuredFiles> {
  const tablespaceBytes = new Map<string, number>();
  let dataDirBytes = 0;
  let totalBytes = 0;
  await readManifest(await openVerified(repository, manifest, { signal }), {
    what: manifest.key,
    onFile: ({ path, bytes }) => {
      if (selection !== undefined && !isWanted(selection, path)) return;
      const oid = TABLESPACE.exec(path)?.[1];
      if (oid === undefined) dataDirBytes += bytes;
      else tablespaceBytes.set(oid, (tablespaceBytes.get(oid) ?? 0) + bytes);
      totalBytes += bytes;
    },
  });
  return { dataDirBytes, tablespaceBytes, totalBytes };
}
