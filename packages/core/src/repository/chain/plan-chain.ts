import type { TsbkError } from '../../kernel/errors.ts';
import type { BackupDetail } from '../catalog.ts';
import type { Repository, RunOptions } from '../repository.ts';
import { requireKey } from '../require-key.ts';
import { mapParallel } from '../../stream/parallel.ts';
import { callRoll, type RollCall, type TarLists } from './call-roll.ts';
import { objectProblems, planTars } from './plan-objects.ts';
import type { PlannedLink, PlannedTar } from './planned-link.ts';
import { byTurn } from './tar-order.ts';
import { broken, readChain } from './read-chain.ts';
import type { Selection } from './selection.ts';
import { TURN, type Roll } from './roll.ts';

/** What is restored of a backup and of those it builds on. */
export interface PlannedChain {
  /** Their records, the newest first. */
  readonly details: readonly [BackupDetail, ...BackupDetail[]];
  readonly links: readonly PlannedLink[];
  readonly roll: Roll | undefined;
  /** Why it cannot be restored. */
  readonly problems: readonly TsbkError[];
}

/**
 * Follows a backup down to the full one under it, and decides what of each is needed
 * for what is selected. Where the
 * chain is broken, `links` ends there. Throws `record-invalid`, `wrong-key` and `key-missing`.
 */
export async function planChain(
  repository: Repository,
  newest: BackupDetail,
  { selection, signal }: RunOptions & { readonly selection?: Selection | undefined },
): Promise<PlannedChain> {
  const { links: details, problem } = await readChain(repository, newest, { signal });
  await mapParallel(details.slice(1), { width: READS_AT_ONCE, signal }, (parent, both) =>
    requireKey(repository, parent, { signal: both }),
  );
  const names = details.map(({ name }) => name);
  const called =
    problem === undefined ? await callRoll(repository, names, { selection, signal }) : NOT_CALLED;
  const problems = [...(problem === undefined ? [] : [problem]), ...rollProblems(newest, called)];
  const links: PlannedLink[] = [];
  for (const [depth, detail] of details.entries()) {
    const link = await planLink(repository, { newest, detail, depth, called }, { signal });
    links.push({ backup: detail.name, tars: link.tars });
    problems.push(...link.problems);
  }
  const roll = called.roll?.names.count === 0 ? undefined : called.roll;
  return { details, links, roll, problems };
}

interface LinkPlace {
  readonly newest: BackupDetail;
  readonly detail: BackupDetail;
  /** 0 for the newest. */
  readonly depth: number;
  readonly called: RollCall;
}

async function planLink(
  repository: Repository,
  { newest, detail, depth, called }: LinkPlace,
  { signal }: RunOptions,
): Promise<{ readonly tars: readonly PlannedTar[]; readonly problems: readonly TsbkError[] }> {
  const isNewest = depth === 0;
  const isEmpty = called.roll?.turns[depth]?.every((turn) => turn === TURN.none) === true;
  if (isEmpty && !isNewest) return { tars: [], problems: [] };
  const listed: TarLists = called.tars[depth] ?? new Map();
  const link = { detail, listed, leftOut: called.leftOut, isNewest };
  const planned = await planTars(repository, link, { signal });
  const problems = objectProblems(newest, link, planned);
  return { tars: planned.tars.toSorted(byTurn), problems };
}

function rollProblems(newest: BackupDetail, { problem }: RollCall): TsbkError[] {
  if (problem === undefined) return [];
  const { backup, text } = problem;
  return [broken(newest, backup === newest.name ? text : `of ${backup}, ${text}`)];
}

const READS_AT_ONCE = 8;

const NOT_CALLED: RollCall = {
  roll: undefined,
  tars: [],
  leftOut: new Set(),
  problem: undefined,
};
