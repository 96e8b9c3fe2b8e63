import { parseInstant } from '../kernel/instant.ts';
import { numberOf, type NameIndex } from '../kernel/name-index.ts';
import { readTar } from '../format/tar/read.ts';
import type { Lanes } from '../ports/lanes.ts';
import type { Report } from '../ports/report.ts';
import { readManifestCheck } from '../repository/chain/manifest-check.ts';
import type { PlannedTar } from '../repository/chain/planned-link.ts';
import { noTarHolds } from '../repository/chain/read-chain.ts';
import { listedPath, nameOf, type Roll } from '../repository/chain/roll.ts';
import type { FileList } from '../repository/file-list.ts';
import { readFilesMetadata } from '../repository/files-metadata.ts';
import type { PackedPart } from '../repository/new-backup/open-parts.ts';
import { packer } from '../repository/new-backup/pack.ts';
import { openVerified } from '../repository/open-verified.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { lent } from '../stream/release.ts';
import type { ScratchBytes } from '../stream/scratch-bytes.ts';
import { Folding } from './folding.ts';
import type { MadeLines } from './made-lines.ts';
import type { MergePlan } from './plan-merge.ts';

export interface FoldInputs {
  readonly repository: Repository;
  readonly lanes: Pick<Lanes, 'width' | 'open'>;
  readonly plan: MergePlan & { readonly roll: Roll };
  readonly list: FileList;
  readonly scratch: ScratchBytes;
  /** Gets a line for each file if the newest backup has no manifest. */
  readonly lines: MadeLines;
  readonly partBytesMax: number;
}

/** What came out of the tars: everything but control file and labels is stored. */
export interface Folded {
  readonly folding: Folding;
  readonly parts: readonly PackedPart[];
}

/**
 * Reads the tars of a chain once each, the newest backup first, and stores the files of the newest, all
 * whole, in parts of the new one. Checks what a restore checks: each object against its hashes, each
 * whole file against the manifest, and that no file is missing. Throws what `Folding` throws,
 * `object-missing`, and `backup-incomplete` if a file of the records was in no tar.
 */
export async function foldChain(
  inputs: FoldInputs,
  { signal, report }: RunOptions & { readonly report: Report },
): Promise<Folded> {
  const { repository, lanes, plan, list, scratch, lines, partBytesMax } = inputs;
  const { roll, manifest, newest } = plan;
  const check =
    manifest &&
    (await readManifestCheck(
      repository,
      { manifest, isDelta: true, names: roll.names },
      { selection: undefined, signal },
    ));
  const times = await readTimes(repository, { backup: newest.name, names: roll.names }, { signal });
  const pack = packer({ backup: plan.name, lanes, list, partBytesMax, signal });
  try {
    const folding = new Folding({
      roll,
      times,
      pack,
      list,
      scratch,
      check,
      algorithm: check?.algorithm ?? 'CRC32C',
      lines: check === undefined ? lines : undefined,
      onBytes: progress(report, newest.sentinel.dataCatalogBytes),
    });
    await foldLinks(inputs, folding, { signal, report });
    const left = await check?.missing();
    if (left !== undefined) throw noTarHolds(newest.name, left);
    return { folding, parts: await pack.finish() };
  } catch (error) {
    await pack.fail(error);
    throw error;
  }
}

async function foldLinks(
  { repository, plan }: FoldInputs,
  folding: Folding,
  { signal, report }: RunOptions & { readonly report: Report },
): Promise<void> {
  const { roll } = plan;
  for (const [depth, { backup, tars }] of plan.links.entries()) {
    folding.beginLink(depth);
    if (depth > 0 && folding.missing() === undefined) continue;
    report({ kind: 'phase', phase: 'copy', text: `reading ${backup}` });
    for (const tar of tars) await foldTar(repository, { tar, folding }, { signal });
    const number = folding.missing();
    if (number === undefined) continue;
    const list = { backup: plan.newest.name, names: roll.names, number };
    throw noTarHolds(backup, await nameOf(repository, list, { signal }));
  }
}

async function foldTar(
  repository: Repository,
  { tar, folding }: { readonly tar: PlannedTar; readonly folding: Folding },
  { signal }: RunOptions,
): Promise<void> {
  const source = lent(await openVerified(repository, tar, { signal, large: true }));
  // WAL-G's remote backups end right after the last member; what is cut off, the codec notices.
  const endBlocks = tar.record === undefined ? 'optional' : 'required';
  for await (const entry of readTar(source, { endBlocks, what: tar.key })) {
    signal.throwIfAborted();
    await folding.member(entry, tar);
  }
}

/** When each file was last changed, in eight bytes a file: the next delta compares it. */
async function readTimes(
  repository: Repository,
  { backup, names }: { readonly backup: string; readonly names: NameIndex },
  { signal }: RunOptions,
): Promise<BigInt64Array> {
  const times = new BigInt64Array(names.count);
  await readFilesMetadata(repository, backup, {
    signal,
    onFile: ({ name, modified }) => {
      const number = numberOf(names, listedPath(name));
      const time = modified === undefined ? undefined : parseInstant(modified);
      if (number !== undefined && time !== undefined) times[number] = time;
    },
  });
  return times;
}

const PROGRESS_BYTES = 1024 * 1024;

function progress(report: Report, totalBytes: number | undefined): (bytes: number) => void {
  let done = 0;
  let told = 0;
  return (bytes) => {
    done += bytes;
    if (done - told < PROGRESS_BYTES) return;
    told = done;
    report({ kind: 'progress', phase: 'copy', bytes: done, totalBytes });
  };
}
