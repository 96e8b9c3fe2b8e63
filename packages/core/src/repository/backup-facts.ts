import type { Instant } from '../kernel/instant.ts';
import type { Lsn } from '../kernel/lsn.ts';
import type { BackupSummary } from './catalog.ts';
import type { BackupMetadata } from './metadata.ts';
import type { Sentinel } from './sentinel.ts';

/** What is known of a backup, from whichever of its two small records has it. */
export type BackupFacts = BackupMetadata;

/**
 * `metadata.json` where it is there, the sentinel for what it lacks: records of old versions have
 * less, and WAL-G's `backup-mark` rewrites the former only.
 */
export function factsOf({ metadata, sentinel }: BackupSummary): BackupFacts {
  const fallback = factsOfSentinel(sentinel);
  if (metadata === undefined) return fallback;
  const known = Object.entries(metadata).filter(([, value]) => value !== undefined);
  return { ...fallback, ...Object.fromEntries(known) };
}

/** The sentinel's own flag is that of the time of the push; without `metadata.json` none counts. */
function factsOfSentinel(sentinel: Sentinel): BackupFacts {
  return {
    startTime: sentinel.startTime,
    finishTime: sentinel.finishTime,
    hostname: sentinel.hostname,
    dataDir: sentinel.dataDir,
    pgVersion: sentinel.pgVersion,
    startLsn: sentinel.startLsn,
    finishLsn: sentinel.stopLsn,
    permanent: false,
    systemId: sentinel.systemId,
    plainBytes: sentinel.plainBytes,
    storedBytes: sentinel.storedBytes,
    userData: sentinel.userData,
  };
}

/** Where the backup ends in the WAL: from there on the restored cluster is consistent. */
export function stopLsnOf(backup: BackupSummary): Lsn | undefined {
  return backup.sentinel.stopLsn ?? backup.metadata?.finishLsn;
}

/** When the backup ended: the records' word, the store's time where they have none. */
export function finishTimeOf(backup: BackupSummary): Instant {
  return backup.metadata?.finishTime ?? backup.sentinel.finishTime ?? backup.modified;
}
