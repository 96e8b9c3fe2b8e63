import { TsbkError } from '../kernel/errors.ts';
import { formatSize } from '../kernel/size.ts';
import { inspectDirectory, type InspectedDirectory } from '../cluster/inspect-directory.ts';
import { INCOMPLETE_MARK } from './incomplete-mark.ts';

/** A directory that a restore will fill. */
export interface Place {
  /** For messages: `the destination`, `tablespace 16384`. */
  readonly role: string;
  /** Absolute. */
  readonly path: string;
  /** What will be written there; `undefined` if nobody knows. */
  readonly bytes: number | undefined;
}

export interface CheckedPlaces {
  /** In the order of the places, links resolved. */
  readonly directories: readonly InspectedDirectory[];
  /** Everything that forbids restoring there. */
  readonly problems: readonly TsbkError[];
}

/**
 * Whether the data directory (the first place) and the tablespaces can be restored where they
 * shall go: each absent (with a parent) or empty, none inside another one but tablespaces inside
 * the data directory, none around or inside the repository, enough space on every file system.
 * Changes nothing.
 */
export async function checkPlaces(
  places: readonly [Place, ...Place[]],
  limits: {
    /** Directory of the repository, if it is one on this machine. */
    readonly repositoryPath: string | undefined;
    /** What will be written in all, where it is not known how much goes where. */
    readonly totalBytes: number | undefined;
    /** Directories that are occupied are judged by somebody else, and so is the room on the disk. */
    readonly inPlace?: boolean;
  },
): Promise<CheckedPlaces> {
  const directories = await Promise.all(
    places.map(async ({ path }) => await inspectPlace(path, places[0].path)),
  );
  const isExisting = limits.inPlace === true && directories[0]?.state.kind === 'occupied';
  const states = directories.map((found, index) =>
    isExisting && found.state.kind === 'occupied'
      ? undefined
      : stateProblem(places[index] ?? places[0], found),
  );
  const problems = states.filter((problem) => problem !== undefined);
  problems.push(...overlaps(places, directories, limits.repositoryPath));
  if (!isExisting) problems.push(...spaceProblems(places, directories, limits.totalBytes));
  return { directories, problems };
}

/** A tablespace below the data directory has no parent yet: the restore makes it. */
async function inspectPlace(path: string, dataDir: string): Promise<InspectedDirectory> {
  if (!isInside(path, dataDir)) return await inspectDirectory(path);
  const { path: root, fileSystem } = await inspectDirectory(dataDir);
  return { path: root + path.slice(dataDir.length), state: { kind: 'absent' }, fileSystem };
}

function stateProblem({ role, path }: Place, { state }: InspectedDirectory): TsbkError | undefined {
  switch (state.kind) {
    case 'absent':
    case 'empty':
      return undefined;
    case 'unusable':
      return new TsbkError('target-not-empty', `${role}: ${path} ${state.problem}`, {
        hint: 'Give a directory that is empty, or one to be made whose parent exists.',
      });
    case 'occupied':
      return occupied(role, path, state.by);
  }
}

type Occupant = Extract<InspectedDirectory['state'], { readonly kind: 'occupied' }>['by'];

function occupied(role: string, path: string, by: Occupant): TsbkError {
  const refuse = (what: string, hint: string): TsbkError =>
    new TsbkError('target-not-empty', `${role}: ${path} ${what}`, { hint });
  if (by.names.has(INCOMPLETE_MARK)) {
    return refuse(
      'holds a restore that was interrupted',
      `Go on with it by --delta, or remove what is in it and in the tablespace directories that ${INCOMPLETE_MARK} names.`,
    );
  }
  if (by.postmaster !== undefined) {
    return refuse(
      `belongs to a PostgreSQL server (postmaster.pid: ${by.postmaster})`,
      'Stop the server, and move its directory away or restore in place (--delta).',
    );
  }
  if (by.isMountPoint) {
    return refuse(
      'is the root of a file system (it holds lost+found)',
      'PostgreSQL refuses it too: give a directory below it.',
    );
  }
  return refuse(
    `is not empty (there is ${JSON.stringify(by.example)})`,
    'Empty it or give another directory; a data directory of the same cluster can be restored in place (--delta).',
  );
}

function overlaps(
  places: readonly Place[],
  directories: readonly InspectedDirectory[],
  repositoryPath: string | undefined,
): TsbkError[] {
  const problems: TsbkError[] = [];
  const refuse = (index: number, what: string): void => {
    const { role, path } = places[index] ?? { role: 'a directory', path: '' };
    problems.push(
      new TsbkError('target-not-empty', `${role}: ${path} ${what}`, {
        hint: 'Give each its own directory.',
      }),
    );
  };
  for (const [index, { path }] of directories.entries()) {
    if (repositoryPath !== undefined && touch(path, repositoryPath)) {
      refuse(index, 'and the repository are one inside the other');
    }
    for (const [other, { path: otherPath }] of directories.entries()) {
      if (other >= index) break;
      // Inside the data directory is allowed, if not advised; around it is not.
      if (
        path === otherPath ||
        isInside(otherPath, path) ||
        (other > 0 && isInside(path, otherPath))
      ) {
        refuse(index, `and ${otherPath} are one inside the other`);
      }
    }
  }
  return problems;
}

interface Need {
  bytes: number | undefined;
  readonly freeBytes: number;
  readonly paths: string[];
}

function spaceProblems(
  places: readonly Place[],
  directories: readonly InspectedDirectory[],
  totalBytes: number | undefined,
): TsbkError[] {
  const needs = new Map<number, Need>();
  for (const [index, { path, bytes }] of places.entries()) {
    const fileSystem = directories[index]?.fileSystem;
    if (fileSystem === undefined) continue;
    const { device, freeBytes } = fileSystem;
    const need = needs.get(device) ?? { bytes: 0, freeBytes, paths: [] };
    need.bytes = bytes === undefined || need.bytes === undefined ? undefined : need.bytes + bytes;
    need.paths.push(path);
    needs.set(device, need);
  }
  const known = [...needs.values()];
  if (known.some(({ bytes }) => bytes === undefined)) {
    // How much goes where is not known, but all of it must fit somewhere.
    const freeBytes = known.reduce((sum, need) => sum + need.freeBytes, 0);
    const paths = known.flatMap((need) => need.paths);
    return tooSmall([{ bytes: totalBytes, freeBytes, paths }]);
  }
  return tooSmall(known);
}

function tooSmall(needs: readonly Need[]): TsbkError[] {
  return needs.flatMap(({ bytes = 0, freeBytes, paths }) => {
    if (bytes <= freeBytes) return [];
    const amount = `${formatSize(bytes)} will be written and ${formatSize(freeBytes)} are free`;
    return new TsbkError('disk-full', `${paths.join(', ')}: ${amount}`, {
      hint: 'Free some space, or map tablespaces to other file systems.',
    });
  });
}

function touch(a: string, b: string): boolean {
  return a === b || isInside(a, b) || isInside(b, a);
}

function isInside(path: string, directory: string): boolean {
  return path.startsWith(directory.endsWith('/') ? directory : `${directory}/`);
}
