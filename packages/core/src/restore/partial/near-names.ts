import { readDatabaseNames } from '../../repository/database-names.ts';
import type { Repository, RunOptions } from '../../repository/repository.ts';
import { matches, type WantedName } from './wanted-names.ts';

const NEAR_MAX = 5;
/** Names that are compared: to compare more of them would only make a message better. */
const NAMES_MAX = 20_000;

/** Names that a backup has and that look like one it does not have, the nearest first. */
export async function nearestOf(
  repository: Repository,
  backup: string,
  { database, relation }: WantedName,
  { signal }: RunOptions,
): Promise<readonly string[]> {
  const databases: string[] = [];
  const relations: string[] = [];
  await readDatabaseNames(repository, backup, {
    signal,
    onRelation: (of, { name, owner }) => {
      const isCandidate = owner === undefined && matches(database, of) && !isSystemName(name);
      if (isCandidate && relations.length < NAMES_MAX) relations.push(`${of}/${name}`);
    },
    onDatabase: (name) => {
      if (databases.length < NAMES_MAX) databases.push(name);
    },
  });
  const hasDatabase = databases.some((name) => matches(database, name));
  if (relation === undefined || !hasDatabase) return ranked(database, databases);
  return ranked(`${database}/${relation}`, relations);
}

function isSystemName(name: string): boolean {
  return /^(?:pg_catalog|pg_toast|information_schema)\./.test(name);
}

/** Those that share the most pairs of letters with `word` (Dice's coefficient). */
function ranked(word: string, names: readonly string[]): readonly string[] {
  const pairs = pairsOf(word);
  const rated = names.map((name) => ({ name, likeness: likeness(pairs, pairsOf(name)) }));
  return rated
    .toSorted((a, b) => b.likeness - a.likeness)
    .slice(0, NEAR_MAX)
    .map(({ name }) => name);
}

function pairsOf(word: string): ReadonlySet<string> {
  const padded = ` ${word.toLowerCase()} `;
  return new Set(Array.from({ length: padded.length - 1 }, (_, at) => padded.slice(at, at + 2)));
}

function likeness(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  let common = 0;
  for (const pair of a) if (b.has(pair)) common += 1;
  return (2 * common) / (a.size + b.size);
}
