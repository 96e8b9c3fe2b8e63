import { TsbkError } from '../kernel/errors.ts';
import { formatInstant, parseInstant, type Instant } from '../kernel/instant.ts';
import { toLsn, type Lsn } from '../kernel/lsn.ts';
import { toSystemId, type SystemId } from '../kernel/system-id.ts';
import { stringifyJson, type JsonObject, type JsonValue } from '../format/json.ts';
import {
  asObject,
  optionalBoolean,
  optionalField,
  optionalInteger,
  optionalString,
  optionalU64,
} from '../format/json-fields.ts';
import { formatSpec, parseSpec, type TablespaceSpec } from './tablespace-spec.ts';

/** Where a delta stands in its chain. */
export interface DeltaLink {
  /** Name of the direct parent. */
  readonly from: string;
  /** Name of the full backup at the root. */
  readonly fullName: string;
  /** Start LSN of the direct parent. */
  readonly lsn: Lsn;
  /** 1 for the first delta. */
  readonly count: number;
}

/**
 * `<name>_backup_stop_sentinel.json`: the record whose existence makes a backup exist. Everything
 * but the version may be missing in what older versions of WAL-G wrote.
 */
export interface Sentinel {
  readonly startLsn: Lsn | undefined;
  readonly stopLsn: Lsn | undefined;
  readonly delta: DeltaLink | undefined;
  /** `server_version_num`. */
  readonly pgVersion: number | undefined;
  readonly systemId: SystemId | undefined;
  readonly plainBytes: number | undefined;
  readonly storedBytes: number | undefined;
  readonly dataCatalogBytes: number | undefined;
  readonly tablespaces: TablespaceSpec | undefined;
  readonly userData: JsonValue | undefined;
  readonly filesMetadataDisabled: boolean;
  readonly startTime: Instant | undefined;
  readonly finishTime: Instant | undefined;
  readonly hostname: string | undefined;
  readonly dataDir: string | undefined;
  /** As it was when the backup was made; `metadata.json` has the flag that counts. */
  readonly permanentAtPush: boolean;
  /** What the backup's objects are encrypted with. WAL-G does not record it, and ignores it. */
  readonly encryption: RecordedEncryption | undefined;
}

export interface RecordedEncryption {
  /** `none`, `libsodium`, `openpgp`. */
  readonly cipher: string;
  /** Names the key by a hash. */
  readonly keyId: string | undefined;
}

/** The hint WAL-G writes beside its times; they are RFC 3339 all the same. */
export const DATE_FORMAT_HINT = '%Y-%m-%dT%H:%M:%S.%fZ';

/** Reads a sentinel of any WAL-G version. Throws `record-invalid`, naming `what`. */
export function parseSentinel(value: JsonValue, what: string): Sentinel {
  const o = asObject(value, what);
  const spec = optionalField(o, 'Spec');
  return {
    startLsn: lsn(o, 'LSN', what),
    stopLsn: lsn(o, 'FinishLSN', what),
    delta: deltaLink(o, what),
    pgVersion: optionalInteger(o, 'PgVersion', what),
    systemId: mapped(optionalU64(o, 'SystemIdentifier', what), toSystemId),
    plainBytes: optionalInteger(o, 'UncompressedSize', what),
    storedBytes: optionalInteger(o, 'CompressedSize', what),
    dataCatalogBytes: optionalInteger(o, 'DataCatalogSize', what),
    tablespaces: spec === undefined || spec === null ? undefined : parseSpec(spec, what),
    userData: optionalField(o, 'UserData'),
    filesMetadataDisabled: optionalBoolean(o, 'FilesMetadataDisabled', what) ?? false,
    startTime: mapped(optionalString(o, 'StartTime', what), parseInstant),
    finishTime: mapped(optionalString(o, 'FinishTime', what), parseInstant),
    hostname: optionalString(o, 'Hostname', what),
    dataDir: optionalString(o, 'DataDir', what),
    permanentAtPush: optionalBoolean(o, 'IsPermanent', what) ?? false,
    encryption: mapped(optionalString(o, 'TsbkCipher', what), (cipher) => ({
      cipher,
      keyId: optionalString(o, 'TsbkKeyId', what),
    })),
  };
}

/** What a backup made by tsbk records; all of it is known then. */
export interface MadeSentinel {
  readonly startLsn: Lsn;
  /** `undefined` for a full backup. */
  readonly delta: DeltaLink | undefined;
  readonly stopLsn: Lsn;
  readonly pgVersion: number;
  readonly systemId: SystemId;
  readonly plainBytes: number;
  readonly storedBytes: number;
  readonly dataCatalogBytes: number;
  readonly tablespaces: TablespaceSpec | undefined;
  readonly userData: JsonValue | undefined;
  readonly startTime: Instant;
  readonly finishTime: Instant;
  readonly hostname: string;
  readonly dataDir: string;
  readonly permanent: boolean;
  readonly encryption: RecordedEncryption;
}

/** The sentinel's text, keys in WAL-G's order, ours after them. */
export function formatSentinel(sentinel: MadeSentinel): string {
  const { delta, tablespaces, userData, encryption } = sentinel;
  return stringifyJson(
    {
      LSN: sentinel.startLsn,
      // WAL-G panics if one of the four is there without the others.
      ...(delta === undefined ? {} : deltaFields(delta)),
      PgVersion: sentinel.pgVersion,
      FinishLSN: sentinel.stopLsn,
      SystemIdentifier: sentinel.systemId,
      UncompressedSize: sentinel.plainBytes,
      CompressedSize: sentinel.storedBytes,
      DataCatalogSize: sentinel.dataCatalogBytes,
      ...(tablespaces === undefined ? {} : { Spec: formatSpec(tablespaces) }),
      ...(userData === undefined ? {} : { UserData: userData }),
      ChkpNum: null,
      Version: 2,
      StartTime: formatInstant(sentinel.startTime),
      FinishTime: formatInstant(sentinel.finishTime),
      DateFmt: DATE_FORMAT_HINT,
      Hostname: sentinel.hostname,
      DataDir: sentinel.dataDir,
      IsPermanent: sentinel.permanent,
      TsbkCipher: encryption.cipher,
      ...(encryption.keyId === undefined ? {} : { TsbkKeyId: encryption.keyId }),
    },
    { goEscapes: true },
  );
}

function deltaFields({ from, fullName, lsn: parentLsn, count }: DeltaLink): JsonObject {
  return { DeltaLSN: parentLsn, DeltaFrom: from, DeltaFullName: fullName, DeltaCount: count };
}

function deltaLink(o: JsonObject, what: string): DeltaLink | undefined {
  const from = optionalString(o, 'DeltaFrom', what);
  const parentLsn = lsn(o, 'DeltaLSN', what) ?? lsn(o, 'DeltaFromLSN', what);
  const fullName = optionalString(o, 'DeltaFullName', what);
  const count = optionalInteger(o, 'DeltaCount', what);
  if ([from, parentLsn, fullName, count].every((field) => field === undefined)) return undefined;
  // Taken for a full backup, a delta would restore to a directory with most files missing.
  if (from === undefined || parentLsn === undefined) {
    const lacks = from === undefined ? 'DeltaFrom' : 'DeltaLSN';
    throw new TsbkError('record-invalid', `${what} is of a delta and has no ${lacks}`);
  }
  return { from, lsn: parentLsn, fullName: fullName ?? from, count: count ?? 1 };
}

function lsn(o: JsonObject, key: string, what: string): Lsn | undefined {
  return mapped(optionalU64(o, key, what), toLsn);
}

function mapped<T, R>(value: T | undefined, map: (value: T) => R): R | undefined {
  return value === undefined ? undefined : map(value);
}
