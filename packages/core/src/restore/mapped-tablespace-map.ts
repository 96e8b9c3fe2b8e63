import { TsbkError } from '../kernel/errors.ts';
import { formatTablespaceMap, parseTablespaceMap } from '../format/tablespace-map.ts';
import type { HeldFile, HeldFiles } from '../repository/chain/held-files.ts';
import type { PlannedBackup } from './plan.ts';
import type { PlannedTablespace } from './plan-tablespaces.ts';

/** Where the records do not say: how backslashes are written changed with 14. */
const VERSION_ASSUMED = 140_000;

/**
 * The tablespace map with the locations of this restore: the server makes its links from it when
 * it starts. Byte for byte the same if nothing was mapped; `undefined` if the backup has none.
 * Throws `record-invalid` for a tablespace of which the backup's records know nothing.
 */
export function mappedTablespaceMap(
  held: HeldFiles,
  {
    backup,
    tablespaces,
  }: { readonly backup: PlannedBackup; readonly tablespaces: readonly PlannedTablespace[] },
): (HeldFile & { readonly isChanged: boolean }) | undefined {
  const file = held.get('tablespace_map');
  if (file === undefined) return undefined;
  const major = Math.floor((backup.pgVersion ?? VERSION_ASSUMED) / 10_000);
  const links = parseTablespaceMap(file.bytes, major);
  const mapped = links.map((link) => {
    const planned = tablespaces.find(({ oid }) => oid === String(link.oid));
    if (planned !== undefined) return { oid: link.oid, location: planned.location };
    if (link.location === `pg_tblspc/${link.oid}`) return link;
    throw new TsbkError(
      'record-invalid',
      `tablespace_map has tablespace ${link.oid} at ${link.location}, the backup's records do not`,
      { hint: `Say where it shall go: --tablespace-mapping ${link.oid}=DIR.` },
    );
  });
  const isChanged = mapped.some(({ location }, index) => location !== links[index]?.location);
  return { ...file, isChanged, bytes: isChanged ? formatTablespaceMap(mapped, major) : file.bytes };
}
