import { NameIndexBuilder, numberOf, type NameIndex } from '../../kernel/name-index.ts';
import { readFilesMetadata, type FileEntry } from '../files-metadata.ts';
import type { Repository, RunOptions } from '../repository.ts';
import { isWanted, type Selection } from './selection.ts';
import { listedPath, nameOf, TURN, type Roll } from './roll.ts';

/** What a backup lists of a tar. */
export interface TarList {
  /** How many of its files are wanted. */
  readonly files: number;
  /** Their numbers; of the newest backup none are kept. */
  readonly numbers: readonly number[] | undefined;
}

/** The tars that a backup lists, by basename with extension. Empty where none are listed. */
export type TarLists = ReadonlyMap<string, TarList>;

/** What the lists of files of a chain say. */
export interface RollCall {
  /** `undefined` if nothing is listed, which only a full backup can do without. */
  readonly roll: Roll | undefined;
  /** Of each backup, the newest first. */
  readonly tars: readonly TarLists[];
  /** Tars of the newest backup in which nothing is selected. */
  readonly leftOut: ReadonlySet<string>;
  /** Why the chain cannot be restored. */
  readonly problem: { readonly backup: string; readonly text: string } | undefined;
}

/**
 * Goes through the lists of a chain, newest first: what the newest lists as an increment or as
 * skipped is looked for in its parent, and so on down to the full backup, which must have the rest.
 * Only what is selected counts. Each list is read once, as it streams by. Throws `record-invalid`.
 */
export async function callRoll(
  repository: Repository,
  backups: readonly string[],
  { selection, signal }: RunOptions & { readonly selection: Selection | undefined },
): Promise<RollCall> {
  const [newest = '', ...parents] = backups;
  const first = new NewestList(selection);
  if (!(await readFilesMetadata(repository, newest, { signal, ...first.reader() }))) {
    const text = 'it does not list its files, without which a delta means nothing';
    const problem = parents.length === 0 ? undefined : { backup: newest, text };
    return { roll: undefined, tars: backups.map(() => new Map()), leftOut: new Set(), problem };
  }
  const { names, leftOut } = first;
  const turns = [first.turns];
  const tars: TarLists[] = [first.tars];
  const failed = (backup: string, text: string): RollCall => ({
    roll: { names, turns },
    tars,
    leftOut,
    problem: { backup, text },
  });
  let open = first.open;
  for (const [index, backup] of parents.entries()) {
    const list = new OlderList(names, open, { isFull: index === parents.length - 1 });
    const isListed = await readFilesMetadata(repository, backup, { signal, ...list.reader() });
    const child = backups[index] ?? '';
    if (!isListed && !list.isFull) return failed(backup, 'it does not list its files');
    if (!isListed) list.takeAll();
    const lost = list.lost();
    if (lost !== undefined) {
      const name = await nameOf(repository, { backup: newest, names, number: lost }, { signal });
      return failed(child, `its records say that ${backup} has ${name}, which that does not list`);
    }
    turns.push(list.turns);
    tars.push(list.wantedTars());
    open = list.open;
  }
  const left = open.indexOf(1);
  if (left === -1) return { roll: { names, turns }, tars, leftOut, problem: undefined };
  const name = await nameOf(repository, { backup: newest, names, number: left }, { signal });
  const text = `it is a full backup, and its records say that ${name} is in another one`;
  return failed(backups.at(-1) ?? '', text);
}

/** The list of the newest backup, which gives the names their numbers. */
class NewestList {
  readonly leftOut = new Set<string>();
  readonly #builder = new NameIndexBuilder();
  #turns = new Uint8Array(FIRST_CAPACITY);
  #open = new Uint8Array(FIRST_CAPACITY);
  readonly #selection: Selection | undefined;
  readonly #files = new Map<string, number>();

  constructor(selection: Selection | undefined) {
    this.#selection = selection;
  }

  get names(): NameIndex {
    return this.#builder.index();
  }

  get tars(): TarLists {
    return new Map([...this.#files].map(([tar, files]) => [tar, { files, numbers: undefined }]));
  }

  get turns(): Uint8Array {
    return this.#turns.subarray(0, this.names.count);
  }

  /** By number: 1 if an older backup has the rest. */
  get open(): Uint8Array {
    return this.#open.subarray(0, this.names.count);
  }

  reader(): {
    readonly onFile: (file: FileEntry) => void;
    readonly onTar: (tar: string) => void;
    readonly onTarName: (name: string, tar: string) => void;
  } {
    return {
      onFile: (file) => {
        if (this.#isSelected(file.name)) this.#add(file);
      },
      onTar: (tar) => {
        this.#files.set(tar, 0);
        if (this.#selection !== undefined) this.leftOut.add(tar);
      },
      onTarName: (name, tar) => {
        if (!this.#isSelected(name)) return;
        this.leftOut.delete(tar);
        this.#files.set(tar, (this.#files.get(tar) ?? 0) + 1);
      },
    };
  }

  #isSelected(name: string): boolean {
    return this.#selection === undefined || isWanted(this.#selection, name);
  }

  #add({ name, incremented, skipped }: FileEntry): void {
    const number = this.#builder.add(listedPath(name));
    if (number >= this.#turns.length) {
      this.#turns = doubled(this.#turns);
      this.#open = doubled(this.#open);
    }
    this.#turns[number] = turnOf({ incremented, skipped });
    this.#open[number] = incremented || skipped ? 1 : 0;
  }
}

/** The list of an older backup: what it has of the files that newer ones left open. */
class OlderList {
  readonly turns: Uint8Array;
  /** By number: 1 if a still older backup has the rest. */
  readonly open: Uint8Array;
  readonly isFull: boolean;
  readonly #tars = new Map<string, number[]>();
  readonly #names: NameIndex;
  readonly #awaited: Uint8Array;
  /** By number: 1 if it is known in which tar the name is. */
  readonly #found: Uint8Array;

  constructor(names: NameIndex, awaited: Uint8Array, { isFull }: { readonly isFull: boolean }) {
    this.#names = names;
    this.#awaited = Uint8Array.from(awaited);
    this.#found = new Uint8Array(awaited.length);
    this.turns = new Uint8Array(awaited.length);
    this.open = new Uint8Array(awaited.length);
    this.isFull = isFull;
  }

  reader(): {
    readonly onFile: (file: FileEntry) => void;
    readonly onTar: (tar: string) => void;
    readonly onTarName: (name: string, tar: string) => void;
  } {
    return {
      onFile: (file) => this.#take(file),
      onTar: (tar) => void this.#tars.set(tar, []),
      onTarName: (name, tar) => this.#findIn(tar, name),
    };
  }

  /** For a full backup that lists nothing: it must have everything. */
  takeAll(): void {
    this.turns.set(this.#awaited);
    this.#awaited.fill(0);
  }

  /** The first number that a newer backup left open and this one does not list. */
  lost(): number | undefined {
    const number = this.#awaited.indexOf(1);
    return number === -1 ? undefined : number;
  }

  #take({ name, incremented, skipped }: FileEntry): void {
    const number = numberOf(this.#names, listedPath(name));
    if (number === undefined || this.#awaited[number] !== 1) return;
    this.#awaited[number] = 0;
    this.turns[number] = turnOf({ incremented, skipped });
    this.open[number] = incremented || skipped ? 1 : 0;
  }

  /** Empty, too, if it is not listed of everything wanted in which tar it is. */
  wantedTars(): TarLists {
    const isKnown = (turn: number, number: number): boolean =>
      turn === TURN.none || this.#found[number] === 1;
    if (!this.turns.every(isKnown)) return new Map();
    return new Map(
      [...this.#tars].map(([tar, numbers]) => [tar, { files: numbers.length, numbers }]),
    );
  }

  /** Before the files are listed nothing is found: then all tars are taken. */
  #findIn(tar: string, name: string): void {
    const number = numberOf(this.#names, listedPath(name));
    if (number === undefined || this.turns[number] === TURN.none) return;
    this.#found[number] = 1;
    this.#tars.get(tar)?.push(number);
  }
}

const FIRST_CAPACITY = 1024;

function turnOf({ incremented, skipped }: Pick<FileEntry, 'incremented' | 'skipped'>): number {
  if (skipped) return TURN.none;
  return incremented ? TURN.pages : TURN.whole;
}

function doubled(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(2 * bytes.length);
  larger.set(bytes);
  return larger;
}
