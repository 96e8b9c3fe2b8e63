import { EXIT } from '@tsbk/core/kernel/exit';
import { formatInstant } from '@tsbk/core/kernel/instant';
import { formatLsn } from '@tsbk/core/kernel/lsn';
import { parseBackupName } from '@tsbk/core/kernel/backup-name';
import { openRepository } from '@tsbk/core/engine/open-repository';
import { stringifyJson, type JsonObject } from '@tsbk/core/format/json';
import { indentJson } from '../render/indent-json.ts';
import { readCatalog, startTimeOf, type BackupSummary } from '@tsbk/core/repository/catalog';
import type { CommandContext, Run } from '../command.ts';
import { renderTable } from '../render/table.ts';

/** Go's word for a name without a segment. */
const NO_SEGMENT = 'Z'.repeat(24);

/** WAL-G's name for the only storage there is. */
const STORAGE_NAME = 'default';

/** `tsbk backup-list`: oldest first by start time. */
export const runBackupList: Run = async (context) => {
  await using repository = await openRepository(context.settings, { report: context.report });
  const { backups, broken } = await readCatalog(repository, { signal: context.signal });
  const sorted = [...backups].sort((a, b) => (startTimeOf(a) < startTimeOf(b) ? -1 : 1));
  for (const { problem } of broken) {
    context.errOut(`warning: ${problem.message}; this backup is not listed\n`);
  }
  if (context.flags.on('json') === true) printJson(context, sorted);
  else printText(context, sorted);
  return EXIT.ok;
};

function printText(context: CommandContext, backups: readonly BackupSummary[]): void {
  if (backups.length === 0) {
    context.errOut('no backups found\n');
    return;
  }
  const detail = context.flags.on('detail') === true;
  const head = ['backup_name', 'modified', 'wal_file_name', 'storage_name'];
  if (detail) head.push(...DETAIL_KEYS);
  const rows = backups.map((backup) => [
    ...plainCells(backup),
    ...(detail ? detailCells(backup) : []),
  ]);
  context.out(`${renderTable(head, rows, { boxed: context.flags.on('pretty') === true })}\n`);
}

const DETAIL_KEYS = [
  'start_time',
  'finish_time',
  'hostname',
  'data_dir',
  'pg_version',
  'start_lsn',
  'finish_lsn',
  'is_permanent',
];

function plainCells(backup: BackupSummary): string[] {
  // Seconds, as WAL-G shows them.
  const modified = formatInstant(backup.modified).replace(/\.\d+Z$/, 'Z');
  return [backup.name, modified, segmentOf(backup), STORAGE_NAME];
}

function detailCells({ metadata, sentinel }: BackupSummary): string[] {
  const start = metadata?.startTime ?? sentinel.startTime;
  const finish = metadata?.finishTime ?? sentinel.finishTime;
  const startLsn = metadata?.startLsn ?? sentinel.startLsn;
  const finishLsn = metadata?.finishLsn ?? sentinel.stopLsn;
  return [
    start === undefined ? '-' : formatInstant(start),
    finish === undefined ? '-' : formatInstant(finish),
    metadata?.hostname ?? '-',
    metadata?.dataDir ?? '-',
    String(metadata?.pgVersion ?? sentinel.pgVersion ?? '-'),
    startLsn === undefined ? '-' : formatLsn(startLsn),
    finishLsn === undefined ? '-' : formatLsn(finishLsn),
    String(metadata?.permanent ?? false),
  ];
}

function printJson(context: CommandContext, backups: readonly BackupSummary[]): void {
  const detail = context.flags.on('detail') === true;
  const list = backups.map((backup) => ({
    ...plainObject(backup),
    ...(detail ? detailObject(backup) : {}),
  }));
  const text = stringifyJson(list);
  context.out(`${context.flags.on('pretty') === true ? indentJson(text, 4) : text}\n`);
}

function plainObject(backup: BackupSummary): JsonObject {
  return {
    backup_name: backup.name,
    time: formatInstant(backup.modified),
    wal_file_name: segmentOf(backup),
    storage_name: STORAGE_NAME,
  };
}

/** The keys of `metadata.json`, in WAL-G's order. */
function detailObject({ metadata, sentinel }: BackupSummary): JsonObject {
  const time = (instant: Parameters<typeof formatInstant>[0] | undefined): string =>
    instant === undefined ? '0001-01-01T00:00:00Z' : formatInstant(instant);
  return {
    start_time: time(metadata?.startTime ?? sentinel.startTime),
    finish_time: time(metadata?.finishTime ?? sentinel.finishTime),
    date_fmt: '%Y-%m-%dT%H:%M:%S.%fZ',
    hostname: metadata?.hostname ?? '',
    data_dir: metadata?.dataDir ?? '',
    pg_version: metadata?.pgVersion ?? sentinel.pgVersion ?? 0,
    start_lsn: metadata?.startLsn ?? sentinel.startLsn ?? 0,
    finish_lsn: metadata?.finishLsn ?? sentinel.stopLsn ?? 0,
    is_permanent: metadata?.permanent ?? false,
    system_identifier: metadata?.systemId ?? sentinel.systemId ?? null,
    uncompressed_size: metadata?.plainBytes ?? sentinel.plainBytes ?? 0,
    compressed_size: metadata?.storedBytes ?? sentinel.storedBytes ?? 0,
    ...(metadata?.userData === undefined ? {} : { user_data: metadata.userData }),
  };
}

function segmentOf({ name }: BackupSummary): string {
  return parseBackupName(name)?.segment ?? NO_SEGMENT;
}
