import { TsbkError } from '../kernel/errors.ts';
import { formatLsn } from '../kernel/lsn.ts';
import type { Lanes } from '../ports/lanes.ts';
import type { Report } from '../ports/report.ts';
import { requireControl, requireLabel } from '../repository/chain/held-files.ts';
import type { Roll } from '../repository/chain/roll.ts';
import type { ProcessMark } from '../repository/claim-record.ts';
import { fileList } from '../repository/file-list.ts';
import { sentinelKey } from '../repository/layout.ts';
import { cleanUp, release } from '../repository/new-backup/end-run.ts';
import { describeHolder, holdName } from '../repository/new-backup/hold-name.ts';
import { storeControl } from '../repository/new-backup/store-control.ts';
import { storeLabels } from '../repository/new-backup/store-labels.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { createRecord } from '../repository/write-object.ts';
import { scratchBytes } from '../stream/scratch-bytes.ts';
import { openSpool } from '../stream/spool.ts';
import { copyNames } from './copy-names.ts';
import { foldChain, type Folded } from './fold-chain.ts';
import { madeLines } from './made-lines.ts';
import { nameTaken, planMerge, type MergePlan } from './plan-merge.ts';
import { storeMergedManifest } from './store-manifest.ts';
import { storeMergedRecords } from './store-records.ts';

/** What a chain is read from and its merged backup made by. */
export interface MergeInputs {
  readonly repository: Repository;
  readonly lanes: Pick<Lanes, 'width' | 'open'>;
}

export interface MergeRequest {
  /** Name of a delta, or `LATEST`. */
  readonly backup: string;
  /** Names this run in the claim and the side record; unique. */
  readonly runId: string;
  readonly hostname: string;
  /** Lets others find out whether this run still goes on. */
  readonly process?: ProcessMark | undefined;
  readonly toolVersion: string;
  /** A part is closed before the member that would make its payload exceed this. */
  readonly partBytesMax: number;
  /** Where changed pages go that do not fit into memory. */
  readonly scratchDirectory: string;
}

export interface MergeResult {
  /** The full backup that was made. */
  readonly name: string;
  /** What it was put together from, the newest first. */
  readonly merged: readonly string[];
  readonly startLsn: string;
  readonly stopLsn: string;
  readonly timeline: number;
  readonly plainBytes: number;
  readonly storedBytes: number;
  readonly files: number;
  readonly parts: number;
}

type MergeOptions = RunOptions & { readonly report: Report };

/**
 * Folds a chain of deltas into a full backup of the newest one's moment, in the store: neither the
 * server nor a data directory is touched, and the chain stays. The sentinel is written last; a run
 * that fails or is aborted removes what it stored, and one that is killed leaves no sentinel. Throws
 * what `planMerge` throws or found, `backup-exists`, and what `foldChain` throws.
 */
export async function mergeBackup(
  inputs: MergeInputs,
  request: MergeRequest,
  { signal, report }: MergeOptions,
): Promise<MergeResult> {
  const { repository } = inputs;
  const plan = await planMerge(repository, request.backup, { signal });
  const [problem] = plan.problems;
  if (problem !== undefined) throw problem;
  for (const { code, text } of plan.warnings) report({ kind: 'warning', code, text });
  const { name } = plan;
  const { runId, hostname: host, process } = request;
  const claimant = { run: runId, host, process };
  if (!(await holdName(repository, name, { claimant, signal }))) {
    throw nameTaken(name, await describeHolder(repository, name, { signal }));
  }
  const progress = { sentinelTried: false };
  let result: MergeResult;
  try {
    result = await run({ ...inputs, request, plan, progress }, { signal, report });
  } catch (error) {
    await cleanUp(repository, { name, runId, ...progress }, { error, report });
    throw error;
  }
  // From here on there is a backup: nothing may fail any more.
  await release(repository, name, report);
  return result;
}

interface Run extends MergeInputs {
  readonly request: MergeRequest;
  readonly plan: MergePlan;
  /** Decides what a failed run may remove. */
  readonly progress: { sentinelTried: boolean };
}

async function run(
  { repository, lanes, request, plan, progress }: Run,
  { signal, report }: MergeOptions,
): Promise<MergeResult> {
  const { name, facts, timeline } = plan;
  const directory = request.scratchDirectory;
  await using spool = openSpool({ directory });
  await using scratch = scratchBytes({ directory });
  const list = fileList(spool);
  const lines = madeLines(spool);
  const { partBytesMax } = request;
  const folded = await foldChain(
    { repository, lanes, plan: withRoll(plan), list, scratch, lines, partBytesMax },
    { signal, report },
  );
  report({ kind: 'phase', phase: 'records', text: 'writing the records' });
  const small = await storeSmall(repository, { plan, folded }, { signal });
  const manifest = await storeMergedManifest(repository, { plan, folded, lines }, { signal });
  const names = await copyNames(repository, plan.newest.name, { spool, signal });
  const made = { plan, folded, list, names, ...small, manifest, request };
  const stored = await storeMergedRecords(repository, made, { signal });
  progress.sentinelTried = true;
  await createRecord(repository, sentinelKey(name), stored.sentinel, { signal });
  return {
    name,
    merged: plan.links.map(({ backup }) => backup),
    startLsn: formatLsn(facts.startLsn),
    stopLsn: formatLsn(facts.finishLsn),
    timeline,
    plainBytes: stored.plainBytes,
    storedBytes: stored.storedBytes,
    files: folded.folding.files,
    parts: folded.parts.length,
  };
}

/** Stores `pg_control` and the label files. Throws `backup-incomplete` and `object-corrupt`. */
async function storeSmall(
  repository: Repository,
  { plan, folded }: { readonly plan: MergePlan; readonly folded: Folded },
  { signal }: RunOptions,
) {
  const { name, facts } = plan;
  const { held, control: member } = folded.folding;
  const of = { ...facts, name: plan.newest.name };
  const { bytes } = requireControl(held, of);
  const { bytes: label, mode } = requireLabel(held, of);
  const tablespaceMap = held.get('tablespace_map')?.bytes ?? new Uint8Array(0);
  if (member === undefined) throw new TypeError('pg_control came without a header');
  const control = await storeControl(repository, { name, member, bytes }, { signal });
  const labels = { label, tablespaceMap, mode: mode & 0o777 };
  return { control, labels: await storeLabels(repository, { name, labels }, { signal }) };
}

/** A delta that lists no file cannot be read: its plan says so. */
function withRoll(plan: MergePlan): MergePlan & { readonly roll: Roll } {
  const { roll } = plan;
  if (roll !== undefined) return { ...plan, roll };
  throw new TsbkError('backup-incomplete', `${plan.newest.name} lists no files`);
}
