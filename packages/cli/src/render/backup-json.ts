import { parseBackupName } from '@tsbk/core/kernel/backup-name';
import { formatInstant, type Instant } from '@tsbk/core/kernel/instant';
import type { JsonObject, JsonValue } from '@tsbk/core/format/json';
import { factsOf } from '@tsbk/core/repository/backup-facts';
import type { BackupSummary } from '@tsbk/core/repository/catalog';
import { DATE_FORMAT_HINT } from '@tsbk/core/repository/sentinel';

/** Go's word for a name without a segment. */
const NO_SEGMENT = 'Z'.repeat(24);

/** WAL-G's name for the only storage there is. */
export const STORAGE_NAME = 'default';

/** A backup as `backup-list --json` of WAL-G has it. */
export function plainObject(backup: BackupSummary): JsonObject {
  return {
    backup_name: backup.name,
    time: formatInstant(backup.modified),
    wal_file_name: segmentOf(backup),
    storage_name: STORAGE_NAME,
  };
}

/** Go's zero time, which WAL-G prints for a time it does not know. */
const ZERO_TIME = '0001-01-01T00:00:00Z';

/** The keys of `metadata.json`, in WAL-G's order, with Go's zero for what is not known. */
export function detailObject(backup: BackupSummary): JsonObject {
  const facts = factsOf(backup);
  const or = (value: JsonValue | undefined, zero: JsonValue): JsonValue => value ?? zero;
  const time = (instant: Instant | undefined): string =>
    instant === undefined ? ZERO_TIME : formatInstant(instant);
  return {
    start_time: time(facts.startTime),
    finish_time: time(facts.finishTime),
    date_fmt: DATE_FORMAT_HINT,
    hostname: or(facts.hostname, ''),
    data_dir: or(facts.dataDir, ''),
    pg_version: or(facts.pgVersion, 0),
    start_lsn: or(facts.startLsn, 0),
    finish_lsn: or(facts.finishLsn, 0),
    is_permanent: facts.permanent,
    system_identifier: or(facts.systemId, null),
    uncompressed_size: or(facts.plainBytes, 0),
    compressed_size: or(facts.storedBytes, 0),
    ...(facts.userData === undefined ? {} : { user_data: facts.userData }),
  };
}

/** The segment in which a backup began, by its name. */
export function segmentOf({ name }: BackupSummary): string {
  return parseBackupName(name)?.segment ?? NO_SEGMENT;
}
