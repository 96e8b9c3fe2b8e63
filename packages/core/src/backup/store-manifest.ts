import { frameManifest } from '../format/format-manifest.ts';
import type { BackupEnd, BackupPosition } from '../ports/backup-source.ts';
import type { ServerIdentity } from '../ports/backup-server.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { Receipt } from '../ports/lanes.ts';
import { manifestKey } from '../repository/layout.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { createObject } from '../repository/write-object.ts';

/** From this version on a manifest names its cluster. */
const VERSION_17 = 170_000;

/**
 * Stores the manifest of a backup whose files tsbk has read itself, in the form in which a server of
 * that version would have sent it.
 */
export async function storeManifest(
  repository: Repository,
  made: {
    readonly name: string;
    /** See `frameManifest`. */
    readonly lines: ByteSource;
    readonly start: BackupPosition;
    readonly end: BackupEnd;
    readonly identity: ServerIdentity;
  },
  { signal }: RunOptions,
): Promise<Receipt> {
  const { name, lines, start, end, identity } = made;
  const { startLsn, timeline } = start;
  const source = frameManifest(lines, {
    systemId: identity.versionNumber >= VERSION_17 ? identity.systemId : undefined,
    walRanges: [{ timeline, startLsn, endLsn: end.stopLsn }],
  });
  return await createObject(repository, { key: manifestKey(name), source }, { signal });
}
