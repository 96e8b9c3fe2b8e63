import type { ChecksumAlgorithm } from '../kernel/checksum-algorithm.ts';
import type { TsbkError } from '../kernel/errors.ts';
import type { TreePlace, WantedMembers } from '../ports/extract.ts';
import type { Lanes } from '../ports/lanes.ts';
import type { Report } from '../ports/report.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import type { Placer } from '../cluster/place.ts';
import { mapParallel } from '../stream/parallel.ts';
import { Arrivals } from './arrivals.ts';
import { Attendance, type ExistingFiles } from './attendance.ts';
import type { HeldFiles } from '../repository/chain/held-files.ts';
import { readManifestCheck, type ManifestCheck } from '../repository/chain/manifest-check.ts';
import type { PlannedLink, PlannedTar } from '../repository/chain/planned-link.ts';
import type { RestorePlan } from './plan.ts';
import { nameOf } from '../repository/chain/roll.ts';
import { noTarHolds } from '../repository/chain/read-chain.ts';

/** What came out of the tars beside the files that are in place. */
export interface Extracted {
  readonly held: HeldFiles;
  /** Permission bits of the data directory: 0o700 or 0o750. */
  readonly rootMode: number;
  readonly files: number;
  readonly bytes: number;
  /** Of files that were there before, what they had already. */
  readonly sparedBytes: number;
  /** Knows which files were put together from pages; `undefined` where nothing lists the files. */
  readonly attendance: Attendance | undefined;
  /** What the files were summed by. */
  readonly algorithm: ChecksumAlgorithm;
}

export interface ExtractInputs {
  readonly repository: Repository;
  readonly lanes: Lanes;
  readonly plan: RestorePlan;
  readonly place: TreePlace;
  /** Finishes the tree that the lanes fill. */
  readonly placer: Placer;
  /** Of a directory that is restored in place. */
  readonly existing?: ExistingTree | undefined;
}

/** What a directory has of a backup before anything is fetched. */
export interface ExistingTree {
  /** It knows of the files that stay. */
  readonly check: ManifestCheck | undefined;
  readonly files: ExistingFiles;
  /** Permission bits of the directory. */
  readonly mode: number;
}

interface ExtractOptions {
  readonly signal: AbortSignal;
  readonly report: Report;
}

/**
 * Unpacks the tars of a plan, backup by backup from the newest to the full one, so that each page is
 * written once; of one backup a tar a lane, and those with `pg_control` and labels after the others.
 * Checks everything there is a record of: each object against its hashes, each whole file against
 * the manifest, and that no file is missing. Throws what `extractTar` and `Arrivals` throw, and
 * `backup-incomplete` if a file of the records was in no tar.
 */
export async function extractTars(
  inputs: ExtractInputs,
  { signal, report }: ExtractOptions,
): Promise<Extracted> {
  const { repository, plan, existing } = inputs;
  const check =
    existing === undefined ? await manifestCheck(repository, plan, { signal }) : existing.check;
  const attendance =
    plan.roll === undefined ? undefined : new Attendance(plan.roll, existing?.files);
  const arrivals = new Arrivals(plan, { check, attendance }, report);
  const algorithm = check?.algorithm ?? 'NONE';
  const rootMode = await unpackLinks(inputs, { arrivals, attendance, algorithm, report }, signal);
  const left = await check?.missing();
  if (left !== undefined) throw noTarHolds(plan.backup.name, left);
  const { held, files, bytes, sparedBytes } = arrivals;
  const mode = rootMode ?? existing?.mode ?? 0;
  const directoryMode = mode % 0o1000 === 0o750 ? 0o750 : 0o700;
  return { held, files, bytes, sparedBytes, attendance, algorithm, rootMode: directoryMode };
}

interface Unpacking {
  readonly arrivals: Arrivals;
  readonly attendance: Attendance | undefined;
  readonly algorithm: ChecksumAlgorithm;
  readonly report: Report;
}

/** Gives the mode of the data directory, if a tar says it. */
async function unpackLinks(
  inputs: ExtractInputs,
  { arrivals, attendance, algorithm, report }: Unpacking,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { repository, plan } = inputs;
  let rootMode: number | undefined;
  for (const [depth, planned] of plan.links.entries()) {
    const wanted = arrivals.beginLink(depth);
    // Newer backups may have had every page of what a tar is planned for.
    const isNeeded = ({ holds }: PlannedTar): boolean =>
      depth === 0 || attendance?.isWaiting(holds) === true;
    const link = { ...planned, tars: planned.tars.filter(isNeeded) };
    if (depth > 0 && link.tars.length > 0) {
      report({ kind: 'phase', phase: 'extract', text: `going on with ${link.backup}` });
    }
    const mode = await unpackLink(inputs, { link, wanted, arrivals, algorithm }, signal);
    rootMode ??= mode;
    const missing = arrivals.endLink();
    if (missing !== undefined) throw await lacks(repository, { plan, link, missing }, signal);
  }
  return rootMode;
}

type ManifestPlan = Pick<RestorePlan, 'manifest' | 'links' | 'roll' | 'selection'>;

/** What the backup's manifest says, if it has one. Throws what `readManifestCheck` throws. */
export async function manifestCheck(
  repository: Repository,
  { manifest, links, roll, selection }: ManifestPlan,
  { signal }: RunOptions,
): Promise<ManifestCheck | undefined> {
  if (manifest === undefined) return undefined;
  const isDelta = links.length > 1;
  const known = { manifest, isDelta, names: roll?.names };
  return await readManifestCheck(repository, known, { selection, signal });
}

interface LinkWork {
  readonly link: PlannedLink;
  readonly wanted: WantedMembers | undefined;
  readonly arrivals: Arrivals;
  readonly algorithm: ChecksumAlgorithm;
}

async function unpackLink(
  { lanes, plan, place, placer, existing }: ExtractInputs,
  { link, wanted, arrivals, algorithm }: LinkWork,
  signal: AbortSignal,
): Promise<number | undefined> {
  const isAll = plan.links.length === 1 && plan.selection === undefined && existing === undefined;
  let rootMode: number | undefined;
  const unpack = async (tar: PlannedTar, both: AbortSignal): Promise<void> => {
    const { key, extension, record } = tar;
    const receipt = await lanes.extract(
      {
        tar: { key, extension, record },
        place,
        // A tar of a full backup that tsbk made holds nothing else: its hash proves it.
        wanted: isAll && record !== undefined ? undefined : wanted,
        checksum: algorithm,
      },
      { signal: both, onBatch: (batch) => arrivals.batch(batch, tar) },
    );
    placer.adopt(receipt);
    rootMode = receipt.rootMode ?? rootMode;
  };
  for (const last of [false, true]) {
    const tars = link.tars.filter((tar) => tar.last === last);
    await mapParallel(tars, { width: lanes.width, signal }, unpack);
  }
  return rootMode;
}

async function lacks(
  repository: Repository,
  found: { readonly plan: RestorePlan; readonly link: PlannedLink; readonly missing: number },
  signal: AbortSignal,
): Promise<TsbkError> {
  const { plan, link, missing: number } = found;
  if (plan.roll === undefined) return noTarHolds(link.backup, 'what its records list');
  const list = { backup: plan.backup.name, names: plan.roll.names, number };
  return noTarHolds(link.backup, await nameOf(repository, list, { signal }));
}
