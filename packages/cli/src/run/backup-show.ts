import { EXIT } from '@tsbk/core/kernel/exit';
import { formatInstant, type Instant } from '@tsbk/core/kernel/instant';
import { formatLsn, type Lsn } from '@tsbk/core/kernel/lsn';
import { formatSize } from '@tsbk/core/kernel/size';
import { openRepository } from '@tsbk/core/engine/open-repository';
import { stringifyJson, type JsonObject } from '@tsbk/core/format/json';
import { readBackup, type BackupDetail } from '@tsbk/core/repository/catalog';
import { newestBackup } from '@tsbk/core/repository/newest-backup';
import { missingWal, walOfBackup } from '@tsbk/core/repository/wal-of-backup';
import type { Run } from '../command.ts';
import { indentJson } from '../render/indent-json.ts';

/** `tsbk backup-show NAME|LATEST` */
export const runBackupShow: Run = async (context) => {
  const { signal } = context;
  await using repository = await openRepository(context.settings, { report: context.report });
  const [asked = 'LATEST'] = context.positionals;
  const name = asked === 'LATEST' ? await newestBackup(repository, { signal }) : asked;
  const backup = await readBackup(repository, name, { signal });
  const segments = await walOfBackup(repository, backup, { signal });
  const missing = await missingWal(repository, segments, { signal });
  const shown = { backup, segments, missing };
  const text =
    context.flags.on('json') === true ? indentJson(stringifyJson(asJson(shown)), 2) : asText(shown);
  context.out(`${text}\n`);
  return EXIT.ok;
};

interface Shown {
  readonly backup: BackupDetail;
  /** WAL that the backup needs to become consistent. */
  readonly segments: readonly string[];
  readonly missing: readonly string[];
}

function asText({ backup, segments, missing }: Shown): string {
  const { metadata, sentinel, side } = backup;
  const lines: [string, string][] = [
    ['name', backup.name],
    ['kind', kindOf(backup)],
    ['started', time(metadata?.startTime ?? sentinel.startTime)],
    ['finished', time(metadata?.finishTime ?? sentinel.finishTime)],
    ['permanent', metadata?.permanent === true ? 'yes' : 'no'],
    ['server', `${version(sentinel.pgVersion)}, system identifier ${sentinel.systemId ?? '-'}`],
    ['from', `${metadata?.hostname ?? '-'}:${metadata?.dataDir ?? '-'}`],
    ['WAL', `${lsn(sentinel.startLsn)} to ${lsn(sentinel.stopLsn)}, ${walText(segments, missing)}`],
    ['size', `${size(sentinel.plainBytes)}, stored ${size(sentinel.storedBytes)}`],
    ['tars', String(backup.tars.length)],
    ['made by', side?.tool ?? 'wal-g'],
  ];
  for (const { oid, location } of sentinel.tablespaces?.tablespaces ?? []) {
    lines.push([`tablespace ${oid}`, location]);
  }
  if (sentinel.userData !== undefined) lines.push(['user data', stringifyJson(sentinel.userData)]);
  const width = Math.max(...lines.map(([label]) => label.length));
  return lines.map(([label, value]) => `${label.padEnd(width)}  ${value}`).join('\n');
}

/** 64-bit integers are texts here, so that every reader of JSON keeps them whole. */
function asJson({ backup, segments, missing }: Shown): JsonObject {
  const { metadata, sentinel, side } = backup;
  return {
    name: backup.name,
    kind: kindOf(backup),
    start_time: time(metadata?.startTime ?? sentinel.startTime),
    finish_time: time(metadata?.finishTime ?? sentinel.finishTime),
    permanent: metadata?.permanent ?? false,
    pg_version: sentinel.pgVersion ?? null,
    system_identifier: sentinel.systemId === undefined ? null : String(sentinel.systemId),
    hostname: metadata?.hostname ?? null,
    data_dir: metadata?.dataDir ?? null,
    start_lsn: lsn(sentinel.startLsn),
    stop_lsn: lsn(sentinel.stopLsn),
    wal_segments: segments,
    wal_missing: missing,
    plain_bytes: sentinel.plainBytes ?? null,
    stored_bytes: sentinel.storedBytes ?? null,
    tablespaces: (sentinel.tablespaces?.tablespaces ?? []).map((entry) => ({ ...entry })),
    user_data: sentinel.userData ?? null,
    made_by: side?.tool ?? 'wal-g',
    objects: backup.tars.map(({ key, bytes }) => ({ key, bytes })),
  };
}

function walText(segments: readonly string[], missing: readonly string[]): string {
  const range =
    segments.length > 1 ? `${segments[0]} … ${segments.at(-1)}` : (segments[0] ?? 'unknown');
  const state = missing.length === 0 ? 'all archived' : `MISSING: ${missing.join(' ')}`;
  return segments.length === 0 ? range : `${range}, ${state}`;
}

function kindOf({ sentinel }: BackupDetail): string {
  return sentinel.delta === undefined
    ? 'full'
    : `delta ${sentinel.delta.count} from ${sentinel.delta.from}`;
}

function version(number: number | undefined): string {
  if (number === undefined) return 'PostgreSQL';
  return `PostgreSQL ${Math.floor(number / 10_000)}.${number % 10_000}`;
}

function time(instant: Instant | undefined): string {
  return instant === undefined ? '-' : formatInstant(instant);
}

function lsn(value: Lsn | undefined): string {
  return value === undefined ? '-' : formatLsn(value);
}

function size(bytes: number | undefined): string {
  return bytes === undefined ? '-' : formatSize(bytes);
}
