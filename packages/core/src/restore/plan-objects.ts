import { TsbkError } from '../kernel/errors.ts';
import type { BackupDetail } from '../repository/catalog.ts';
import type { FilesSummary } from '../repository/files-metadata.ts';
import { backupFolder, isLastTar, manifestKey, partitionsFolder } from '../repository/layout.ts';
import type { PromisedObject } from '../ports/extract.ts';
import { extensionOf } from '../repository/read-object.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import type { PlannedTar } from './plan.ts';

/** A backup with all of its records that a plan looks into. */
export interface RecordedBackup extends BackupDetail {
  readonly files: FilesSummary | undefined;
}

export interface PlannedTars {
  readonly tars: readonly PlannedTar[];
  /** Names of tars that the records promise and the store does not have. */
  readonly missing: readonly string[];
}

const TAR = /\.tar(?:\.([^./]*))?$/;

/**
 * The tars of a backup. Where tsbk made it, its side record says which: anything else in the folder
 * is not of it. Otherwise what is listed counts, because WAL-G's numbers have gaps, and what its
 * files metadata names. A tar that the listing lacks is asked for before it counts as missing.
 */
export async function planTars(
  repository: Repository,
  detail: RecordedBackup,
  { signal }: RunOptions,
): Promise<PlannedTars> {
  const { name, side } = detail;
  const folder = partitionsFolder(name);
  const known = new Map(detail.tars.map(({ key, bytes }) => [key, bytes]));
  const missing: string[] = [];
  for (const key of promisedKeys(detail).filter((promised) => !known.has(promised))) {
    const info = await repository.store.stat(key, { signal });
    if (info === undefined) missing.push(key.slice(folder.length));
    else known.set(key, info.bytes);
  }
  const tars = [...known].flatMap(([key, storedBytes]) => {
    const match = TAR.exec(key);
    const record = side?.objects.get(key.slice(backupFolder(name).length));
    if (match === null || (side !== undefined && record === undefined)) return [];
    const basename = key.slice(folder.length);
    return {
      key,
      name: basename,
      extension: match[1] ?? '',
      record,
      storedBytes,
      plainBytes: record?.plain.bytes,
      last: isLastTar(basename),
    };
  });
  return { tars, missing };
}

/** The manifest that tsbk stored beside the tars. */
export function planManifest({ name, others, side }: BackupDetail): PromisedObject | undefined {
  const base = manifestKey(name);
  const found = others.find(({ key }) => key === base || key.startsWith(`${base}.`));
  if (found === undefined) return undefined;
  const record = side?.objects.get(found.key.slice(backupFolder(name).length));
  return { key: found.key, extension: extensionOf(found.key, base), record };
}

/** What is wrong with the objects of a backup, so that a restore would fail half-way. */
export function objectProblems(
  detail: RecordedBackup,
  { tars, missing }: PlannedTars,
): TsbkError[] {
  const { name, files, side } = detail;
  const problems: TsbkError[] = [];
  if (!tars.some(({ last }) => !last)) problems.push(incomplete(name, 'it has no tars'));
  if (missing.length > 0) problems.push(incomplete(name, `it lacks ${missing.join(', ')}`));
  if (side !== undefined && planManifest(detail) === undefined) {
    problems.push(incomplete(name, 'it lacks its backup_manifest'));
  }
  if (files?.elsewhere !== undefined) {
    const problem = `its files metadata says that ${files.elsewhere} is only in another backup`;
    problems.push(incomplete(name, problem));
  }
  return problems;
}

/** Keys of the tars that the backup's records name; all of them only where tsbk made it. */
function promisedKeys({ name, side, files }: RecordedBackup): string[] {
  const folder = partitionsFolder(name);
  if (side !== undefined) {
    const keys = [...side.objects.keys()].map((key) => `${backupFolder(name)}${key}`);
    return keys.filter((key) => key.startsWith(folder));
  }
  // For servers before 9.6 WAL-G lists the label's tar without a name.
  return (files?.tars ?? []).filter((tar) => tar !== '').map((tar) => folder + tar);
}

function incomplete(name: string, problem: string): TsbkError {
  return new TsbkError('backup-incomplete', `${name} cannot be restored: ${problem}`, {
    hint: 'Choose another backup (tsbk backup-list).',
  });
}
