import { stat } from 'node:fs/promises';
import { TsbkError } from '../../kernel/errors.ts';
import type { TreePath } from '../../kernel/tree-path.ts';
import type { TreePlace } from '../../ports/extract.ts';
import type { Lanes } from '../../ports/lanes.ts';
import type { Report } from '../../ports/report.ts';
import { printable } from '../../format/tree-path.ts';
import { walkTree, type WalkedEntry } from '../../cluster/walk-tree.ts';
import { eachParallel } from '../../stream/parallel.ts';
import type { ManifestCheck } from '../../repository/chain/manifest-check.ts';
import { mayWrite, type FileFates } from './file-fates.ts';

/** What of a data directory a restore in place can use, and what not. */
export interface ComparedTree {
  /** Files that are what the backup has. */
  readonly kept: Amount;
  /** Files that are written over where they differ. */
  readonly over: Amount;
  /** Files that the backup does not have, or has in pieces. */
  readonly removed: Amount;
  /** The first thing that is in the way: a link of which nobody knows what to do with it, for example. */
  readonly problem: TsbkError | undefined;
}

export interface Amount {
  readonly files: number;
  readonly bytes: number;
}

interface CompareInputs {
  readonly lanes: Lanes;
  readonly place: TreePlace;
  readonly major: number;
  readonly fates: FileFates;
  /** `undefined` without a manifest: then nothing shows that a file may stay. */
  readonly check: ManifestCheck | undefined;
}

interface CompareOptions {
  readonly signal: AbortSignal;
  readonly report: Report;
}

/** What a lane reads in a row. */
const BATCH_BYTES = 64 * 1024 * 1024;
const BATCH_FILES = 64;

/**
 * Reads a data directory, in all lanes, and decides the fate of each file in it: one that has the
 * length and the checksum that the manifest says stays. Times are not looked at: a file that was
 * changed and put back by a tool, or damaged by a disk, has the old one. Changes nothing.
 */
export async function compareTree(
  inputs: CompareInputs,
  { signal, report }: CompareOptions,
): Promise<ComparedTree> {
  const comparison = new Comparison(inputs, report);
  const { lanes, place } = inputs;
  await eachParallel(comparison.batches(), { width: lanes.width, signal }, async (batch, both) => {
    const paths = batch.map(({ entry }) => entry.path);
    const { algorithm: checksum = 'NONE' } = inputs.check ?? {};
    const task = { place, paths, checksum, isExisting: true };
    const sums = await lanes.sumFiles(task, { signal: both });
    for (const [index, candidate] of batch.entries()) comparison.judge(candidate, sums[index]);
  });
  return comparison.result();
}

interface Candidate {
  readonly entry: WalkedEntry;
  readonly number: number;
}

class Comparison {
  readonly #inputs: CompareInputs;
  readonly #report: Report;
  readonly #kept = { files: 0, bytes: 0 };
  readonly #over = { files: 0, bytes: 0 };
  readonly #removed = { files: 0, bytes: 0 };
  #comparedBytes = 0;
  #problem: TsbkError | undefined;

  constructor(inputs: CompareInputs, report: Report) {
    this.#inputs = inputs;
    this.#report = report;
  }

  /** Files whose length is right, some at a time. All others are done with. */
  async *batches(): AsyncGenerator<readonly Candidate[], void, undefined> {
    const { place, major } = this.#inputs;
    let batch: Candidate[] = [];
    let bytes = 0;
    for await (const entry of walkTree(place, major)) {
      if (entry.kind === 'directory') this.#directory(entry);
      if (entry.kind === 'other') await this.#look(entry);
      const number = entry.kind === 'file' ? this.#candidate(entry) : undefined;
      if (number === undefined) continue;
      batch.push({ entry, number });
      bytes += entry.bytes;
      if (batch.length < BATCH_FILES && bytes < BATCH_BYTES) continue;
      yield batch;
      batch = [];
      bytes = 0;
    }
    if (batch.length > 0) yield batch;
  }

  /** Whether a file that was read is the backup's. */
  judge(
    { entry, number }: Candidate,
    sum: Parameters<ManifestCheck['isSame']>[1] | undefined,
  ): void {
    const { check, fates } = this.#inputs;
    this.#comparedBytes += entry.bytes;
    this.#report({ kind: 'progress', phase: 'compare', bytes: this.#comparedBytes });
    if (sum === undefined || check?.isSame(entry.path, sum) !== true) {
      return this.#differs(entry, number);
    }
    fates.kept[number] = 1;
    check.take(entry.path);
    count(this.#kept, entry);
  }

  result(): ComparedTree {
    return { kept: this.#kept, over: this.#over, removed: this.#removed, problem: this.#problem };
  }

  /** A manifest lists files alone. Without one nobody knows what has been a directory. */
  #directory(entry: WalkedEntry): void {
    const { fates, check, place } = this.#inputs;
    if (!mayWrite(entry, OWNER_DOES_ALL)) this.#problem ??= closed(place.root, entry);
    const number = fates.numberOf(entry);
    if (number === undefined || check === undefined) return;
    if (check.bytesOf(entry.path) === undefined) fates.kept[number] = 1;
  }

  /** The number of a file that has to be read; `undefined` if its fate is known without. */
  #candidate(entry: WalkedEntry): number | undefined {
    const { fates, check } = this.#inputs;
    if (fates.of(entry) === 'own') return undefined;
    const number = fates.numberOf(entry);
    const listedBytes = check?.bytesOf(entry.path);
    // Without checksums nothing tells an old content from the right one.
    const isComparable = check !== undefined && check.algorithm !== 'NONE';
    if (number !== undefined && isComparable && listedBytes === entry.bytes) return number;
    const isFile = check === undefined || listedBytes !== undefined;
    this.#differs(entry, isFile ? number : undefined);
    return undefined;
  }

  #differs(entry: WalkedEntry, number: number | undefined): void {
    const { fates } = this.#inputs;
    if (number !== undefined) fates.replace(number, entry);
    count(fates.of(entry) === 'over' ? this.#over : this.#removed, entry);
  }

  /**
   * A link to a directory was put there by somebody who wants what is below it elsewhere. To remove it
   * would undo that, to follow it would be to change what is not the cluster's.
   */
  async #look({ path, at }: WalkedEntry): Promise<void> {
    if (TABLESPACE_LINK.test(path)) return;
    const isDirectory = await stat(at).then(
      (stats) => stats.isDirectory(),
      () => false,
    );
    if (isDirectory) this.#problem ??= linked(this.#inputs.place.root, path);
  }
}

const OWNER_DOES_ALL = 0o700;
const TABLESPACE_LINK = /^pg_tblspc\/\d+$/;

function count(amount: { files: number; bytes: number }, { bytes }: WalkedEntry): void {
  amount.files += 1;
  amount.bytes += bytes;
}

function closed(root: string, { path, uid, mode }: WalkedEntry): TsbkError {
  const what = `${root}/${printable(path)} belongs to user ${uid} and has mode ${mode.toString(8)}`;
  return new TsbkError('target-not-empty', what, {
    hint: 'What is in it cannot be replaced. Give it to the user that PostgreSQL runs as.',
  });
}

function linked(root: string, path: TreePath): TsbkError {
  const what = `${root}/${printable(path)}`;
  return new TsbkError('target-not-empty', `${what} is a link to a directory`, {
    hint: 'Only pg_wal may be one. Remove the link, or put the directory in its place.',
  });
}
