import { EXIT } from '@tsbk/core/kernel/exit';
import { formatInstant } from '@tsbk/core/kernel/instant';
import { formatLsn } from '@tsbk/core/kernel/lsn';
import { openRepository } from '@tsbk/core/engine/open-repository';
import { stringifyJson } from '@tsbk/core/format/json';
import { indentJson } from '../render/indent-json.ts';
import { factsOf } from '@tsbk/core/repository/backup-facts';
import { newestFirst, readCatalog, type BackupSummary } from '@tsbk/core/repository/catalog';
import { readMerged } from '@tsbk/core/repository/read-merged';
import type { CommandContext, Run } from '../command.ts';
import { detailObject, plainObject, segmentOf, STORAGE_NAME } from '../render/backup-json.ts';
import { renderTable } from '../render/table.ts';

/** `tsbk backup-list`: oldest first by start time. */
export const runBackupList: Run = async (context) => {
  await using repository = await openRepository(context.settings, {
    signal: context.signal,
    report: context.report,
  });
  const { backups, broken } = await readCatalog(repository, { signal: context.signal });
  const sorted = backups.toSorted((a, b) => newestFirst(b, a));
  for (const { problem } of broken) {
    context.errOut(`warning: ${problem.message}; this backup is not listed\n`);
  }
  const detail = context.flags.on('detail') === true;
  const merged = detail ? await readMerged(repository, sorted, { signal: context.signal }) : NONE;
  if (context.flags.on('json') === true) printJson(context, sorted, merged);
  else printText(context, sorted, merged);
  return EXIT.ok;
};

/** What backups were merged from, by their names. */
type Merged = ReadonlyMap<string, readonly string[]>;

const NONE: Merged = new Map();

function printText(
  context: CommandContext,
  backups: readonly BackupSummary[],
  merged: Merged,
): void {
  if (backups.length === 0) {
    context.errOut('no backups found\n');
    return;
  }
  const detail = context.flags.on('detail') === true;
  const head = ['backup_name', 'modified', 'wal_file_name', 'storage_name'];
  if (detail) head.push(...DETAIL_KEYS);
  // A column that WAL-G does not have: only where it says something.
  const mergedCells = (name: string): string[] =>
    merged.size > 0 ? [String(merged.get(name)?.length ?? '-')] : [];
  if (merged.size > 0) head.push('merged_backups');
  const rows = backups.map((backup) => [
    ...plainCells(backup),
    ...(detail ? detailCells(backup) : []),
    ...mergedCells(backup.name),
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

function detailCells(backup: BackupSummary): string[] {
  const facts = factsOf(backup);
  const text = <T>(value: T | undefined, format: (value: T) => string): string =>
    value === undefined ? '-' : format(value);
  return [
    text(facts.startTime, formatInstant),
    text(facts.finishTime, formatInstant),
    text(facts.hostname, String),
    text(facts.dataDir, String),
    text(facts.pgVersion, String),
    text(facts.startLsn, formatLsn),
    text(facts.finishLsn, formatLsn),
    String(facts.permanent),
  ];
}

function printJson(
  context: CommandContext,
  backups: readonly BackupSummary[],
  merged: Merged,
): void {
  const detail = context.flags.on('detail') === true;
  const list = backups.map((backup) => {
    const from = merged.get(backup.name);
    return {
      ...plainObject(backup),
      ...(detail ? detailObject(backup) : {}),
      ...(from === undefined ? {} : { merged: from }),
    };
  });
  const text = stringifyJson(list);
  context.out(`${context.flags.on('pretty') === true ? indentJson(text, 4) : text}\n`);
}
