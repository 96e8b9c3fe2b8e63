import { formatInstant, parseInstant, type Instant } from '../kernel/instant.ts';
import { toLsn, type Lsn } from '../kernel/lsn.ts';
import { toSystemId, type SystemId } from '../kernel/system-id.ts';
import { stringifyJson, type JsonValue } from '../format/json.ts';
import {
  asObject,
  optionalBoolean,
  optionalField,
  optionalInteger,
  optionalString,
  optionalU64,
} from '../format/json-fields.ts';
import { DATE_FORMAT_HINT, type MadeSentinel } from './sentinel.ts';

/** `metadata.json`: what lists show. Its `is_permanent` is the flag that counts. */
export interface BackupMetadata {
  readonly startTime: Instant | undefined;
  readonly finishTime: Instant | undefined;
  readonly hostname: string | undefined;
  readonly dataDir: string | undefined;
  readonly pgVersion: number | undefined;
  readonly startLsn: Lsn | undefined;
  readonly finishLsn: Lsn | undefined;
  readonly permanent: boolean;
  readonly systemId: SystemId | undefined;
  readonly plainBytes: number | undefined;
  readonly storedBytes: number | undefined;
  readonly userData: JsonValue | undefined;
}

/** Reads `metadata.json`. Throws `record-invalid`, naming `what`. */
export function parseMetadata(value: JsonValue, what: string): BackupMetadata {
  const o = asObject(value, what);
  const u64 = (key: string): bigint | undefined => optionalU64(o, key, what);
  const time = (key: string): Instant | undefined => {
    const text = optionalString(o, key, what);
    return text === undefined ? undefined : parseInstant(text);
  };
  const lsn = (key: string): Lsn | undefined => {
    const value64 = u64(key);
    return value64 === undefined ? undefined : toLsn(value64);
  };
  const systemId = u64('system_identifier');
  return {
    startTime: time('start_time'),
    finishTime: time('finish_time'),
    hostname: optionalString(o, 'hostname', what),
    dataDir: optionalString(o, 'data_dir', what),
    pgVersion: optionalInteger(o, 'pg_version', what),
    startLsn: lsn('start_lsn'),
    finishLsn: lsn('finish_lsn'),
    permanent: optionalBoolean(o, 'is_permanent', what) ?? false,
    systemId: systemId === undefined ? undefined : toSystemId(systemId),
    plainBytes: optionalInteger(o, 'uncompressed_size', what),
    storedBytes: optionalInteger(o, 'compressed_size', what),
    userData: optionalField(o, 'user_data'),
  };
}

/** The document's text, keys in WAL-G's order. */
export function formatMetadata(backup: MadeSentinel): string {
  return stringifyJson(
    {
      start_time: formatInstant(backup.startTime),
      finish_time: formatInstant(backup.finishTime),
      date_fmt: DATE_FORMAT_HINT,
      hostname: backup.hostname,
      data_dir: backup.dataDir,
      pg_version: backup.pgVersion,
      start_lsn: backup.startLsn,
      finish_lsn: backup.stopLsn,
      is_permanent: backup.permanent,
      system_identifier: backup.systemId,
      uncompressed_size: backup.plainBytes,
      compressed_size: backup.storedBytes,
      ...(backup.userData === undefined ? {} : { user_data: backup.userData }),
    },
    { goEscapes: true },
  );
}
