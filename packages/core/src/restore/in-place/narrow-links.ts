import { numberOf } from '../../kernel/name-index.ts';
import type { PlannedLink, PlannedTar } from '../../repository/chain/planned-link.ts';
import { listedPath, TURN, type Roll } from '../../repository/chain/roll.ts';
import { readFilesMetadata } from '../../repository/files-metadata.ts';
import type { Repository, RunOptions } from '../../repository/repository.ts';

interface NarrowInputs {
  readonly links: readonly PlannedLink[];
  readonly roll: Roll;
  /** By number in the roll: 1 if nothing of the file is to be fetched. */
  readonly kept: Uint8Array;
  /** The backup has files that no record can list: of the newest one nothing is passed over. */
  readonly hasUnlisted: boolean;
}

/**
 * The links of a plan without the tars of which nothing is needed any more. Reads the list of the
 * newest backup once more. A tar that no list describes is needed. Throws `record-invalid`.
 */
export async function narrowLinks(
  repository: Repository,
  inputs: NarrowInputs,
  { signal }: RunOptions,
): Promise<PlannedLink[]> {
  const { links, kept, hasUnlisted } = inputs;
  const [newest, ...parents] = links;
  if (newest === undefined) return [];
  const needed = hasUnlisted ? undefined : await neededOf(repository, newest, inputs, { signal });
  const isNeeded = ({ holds }: PlannedTar): boolean =>
    holds === undefined || holds.some((number) => kept[number] !== 1);
  return [
    {
      ...newest,
      tars: newest.tars.filter(({ name, last }) => last || needed?.get(name) !== false),
    },
    ...parents.map((link) => ({ ...link, tars: link.tars.filter(isNeeded) })),
  ];
}

/**
 * Of the tars that the newest backup lists, whether something in it is needed. `undefined` if it is not
 * listed of everything that is needed in which tar it is.
 */
async function neededOf(
  repository: Repository,
  { backup }: PlannedLink,
  { roll, kept }: NarrowInputs,
  { signal }: RunOptions,
): Promise<ReadonlyMap<string, boolean> | undefined> {
  const needed = new Map<string, boolean>();
  const [turns = new Uint8Array()] = roll.turns;
  const open = turns.map((turn, number) => (turn === TURN.none ? 0 : 1 - (kept[number] ?? 0)));
  await readFilesMetadata(repository, backup, {
    signal,
    onTar: (tar) => void needed.set(tar, needed.get(tar) ?? false),
    onTarName: (name, tar) => {
      const number = numberOf(roll.names, listedPath(name));
      if (number !== undefined && kept[number] === 1) return;
      needed.set(tar, true);
      if (number !== undefined) open[number] = 0;
    },
  });
  return open.includes(1) ? undefined : needed;
}
