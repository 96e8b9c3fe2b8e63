import type { TsbkError } from '../../kernel/errors.ts';
import type { BackupDetail } from '../catalog.ts';
import { backupFolder, isLastTar, partitionsFolder } from '../layout.ts';
import { manifestObject } from '../manifest-object.ts';
import type { Repository, RunOptions } from '../repository.ts';
import type { TarLists } from './call-roll.ts';
import type { PlannedTar } from './planned-link.ts';
import { broken } from './read-chain.ts';

/** A backup of a chain, and what its list of files says of its tars. */
export interface ListedTars {
  readonly detail: BackupDetail;
  readonly listed: TarLists;
  /** Of the newest backup: tars that hold nothing selected. */
  readonly leftOut: ReadonlySet<string>;
  /** Whether it is the backup to restore: all of its other tars are wanted then. */
  readonly isNewest: boolean;
}

export interface PlannedTars {
  readonly tars: readonly PlannedTar[];
  /** Names of tars that the records promise and the store does not have. */
  readonly missing: readonly string[];
}

const TAR = /\.tar(?:\.([^./]*))?$/;

/**
 * The wanted tars of a backup. Where tsbk made it, its side record says which there are: anything else
 * in the folder is not of it. Otherwise what is listed counts, because WAL-G's numbers have gaps, and
 * what its files metadata names. A tar that the listing lacks is asked for before it counts as
 * missing. Of an older backup of a chain those are passed over that hold nothing wanted.
 */
export async function planTars(
  repository: Repository,
  link: ListedTars,
  { signal }: RunOptions,
): Promise<PlannedTars> {
  const { name, side, tars: found } = link.detail;
  const folder = partitionsFolder(name);
  const known = new Map(found.map(({ key, bytes }) => [key, bytes]));
  const missing: string[] = [];
  for (const key of promisedKeys(link).filter((promised) => !known.has(promised))) {
    const basename = key.slice(folder.length);
    if (!isWanted(link, basename)) continue;
    const info = await repository.store.stat(key, { signal });
    if (info === undefined) missing.push(basename);
    else known.set(key, info.bytes);
  }
  const tars = [...known].flatMap(([key, storedBytes]) => {
    const match = TAR.exec(key);
    const record = side?.objects.get(key.slice(backupFolder(name).length));
    if (match === null || (side !== undefined && record === undefined)) return [];
    const basename = key.slice(folder.length);
    if (!isWanted(link, basename)) return [];
    const list = link.listed.get(basename);
    return {
      key,
      name: basename,
      extension: match[1] ?? '',
      record,
      storedBytes,
      plainBytes: record?.plain.bytes,
      last: isLastTar(basename),
      files: list?.files,
      holds: list?.numbers,
    };
  });
  return { tars, missing };
}

/** Control file and labels come from the newest backup alone. One that is not listed may hold anything. */
function isWanted({ listed, leftOut, isNewest }: ListedTars, basename: string): boolean {
  if (isLastTar(basename)) return isNewest;
  return isNewest ? !leftOut.has(basename) : listed.get(basename)?.files !== 0;
}

/** What is wrong with the objects of a backup, so that a restore would fail half-way. */
export function objectProblems(
  newest: BackupDetail,
  { detail, isNewest }: ListedTars,
  { tars, missing }: PlannedTars,
): TsbkError[] {
  const { name, side } = detail;
  const of = isNewest ? 'it' : name;
  const problems: TsbkError[] = [];
  if (isNewest && !tars.some(({ last }) => !last)) problems.push(broken(newest, 'it has no tars'));
  if (missing.length > 0) problems.push(broken(newest, `${of} lacks ${missing.join(', ')}`));
  if (isNewest && side !== undefined && manifestObject(detail) === undefined) {
    problems.push(broken(newest, 'it lacks its backup_manifest'));
  }
  return problems;
}

/** Keys of the tars that the backup's records name; all of them only where tsbk made it. */
function promisedKeys({ detail, listed }: ListedTars): string[] {
  const { name, side } = detail;
  const folder = partitionsFolder(name);
  if (side !== undefined) {
    const keys = [...side.objects.keys()].map((key) => `${backupFolder(name)}${key}`);
    return keys.filter((key) => key.startsWith(folder));
  }
  // For servers before 9.6 WAL-G lists the label's tar without a name.
  return [...listed.keys()].filter((tar) => tar !== '').map((tar) => folder + tar);
}
