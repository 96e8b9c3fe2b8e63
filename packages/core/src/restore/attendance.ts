import { numberOf } from '../kernel/name-index.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import type { BegunFiles, ExtractedMember, FileSum, WantedMembers } from '../ports/extract.ts';
import { OpenPages } from '../repository/chain/open-pages.ts';
import { TURN, type Roll } from '../repository/chain/roll.ts';
import { PageSums } from './page-sums.ts';

/** Of each file of a roll, by number, what there was of it before. */
export interface ExistingFiles {
  /** 1: nothing is to come. */
  readonly kept: Uint8Array;
  /** 1: it is to be written over. In shared memory. */
  readonly over: Uint8Array;
}

/**
 * Which files of a roll have come, and how much of them, while the tars of a chain are unpacked
 * backup by backup, the newest first.
 */
export class Attendance {
  readonly #roll: Roll;
  readonly #pages: OpenPages;
  readonly #sums = new PageSums();
  /** By number: 1 if nothing of the file is awaited any more. */
  readonly #done: Uint8Array;
  /** By number: 1 if the file was put together from pages. */
  readonly #isBuilt: Uint8Array;
  /** What is awaited from the tars of the present backup, and has not come. */
  #awaited: Uint8Array;

  /** Files that lay there before, if the directory is restored in place. */
  readonly #existing: ExistingFiles | undefined;

  constructor(roll: Roll, existing?: ExistingFiles) {
    const { count } = roll.names;
    this.#roll = roll;
    this.#pages = new OpenPages(count);
    this.#done = new Uint8Array(count);
    this.#isBuilt = new Uint8Array(count);
    this.#awaited = new Uint8Array(count);
    this.#existing = existing;
    if (existing !== undefined) this.#done.set(existing.kept);
  }

  /** Goes on to the backup at this depth, 0 for the newest, and says what is wanted of it. */
  begin(depth: number): WantedMembers {
    const { names, turns } = this.#roll;
    const wanted = new Uint8Array(new SharedArrayBuffer(names.count));
    turns[depth]?.forEach((turn, number) => {
      if (this.#done[number] === 0) wanted[number] = turn;
    });
    this.#awaited = Uint8Array.from(wanted);
    const begun: BegunFiles = this.#pages.copy((number) => wanted[number] !== TURN.none);
    return { names, turns: wanted, isNewest: depth === 0, begun, over: this.#existing?.over };
  }

  /** Whether anything is awaited, or anything of these numbers. */
  isWaiting(numbers?: readonly number[]): boolean {
    if (numbers === undefined) return this.#awaited.some((turn) => turn !== TURN.none);
    return numbers.some((number) => this.#awaited[number] !== TURN.none);
  }

  /** `false` if the member had come before. One that is not listed passes. */
  arrived(member: ExtractedMember): boolean {
    const number = numberOf(this.#roll.names, member.path);
    if (number === undefined) return true;
    const isFirst = this.#awaited[number] !== TURN.none;
    this.#awaited[number] = TURN.none;
    if (member.kind !== 'pages') this.#done[number] = 1;
    else if (isFirst) {
      this.#pages.add(number, member);
      this.#isBuilt[number] = 1;
      if (member.isComplete) this.#done[number] = 1;
    }
    if (isFirst) this.#sum(number, member);
    return isFirst;
  }

  #sum(number: number, member: ExtractedMember): void {
    if (member.kind !== 'pages' && member.kind !== 'filled') return;
    if (member.kind === 'pages' && member.isNew) this.#sums.begin(number, member.limit);
    this.#sums.add(number, member.runs);
    if (this.#done[number] === 1) this.#sums.end(number);
  }

  /** Length and CRC-32C of a file that was put together; `undefined` if it must be read for that. */
  sumOf(path: TreePath): FileSum | undefined {
    const number = numberOf(this.#roll.names, path);
    return number === undefined ? undefined : this.#sums.sumOf(number);
  }

  /** Whether the roll lists the path; `awaited` if it has not come from this backup. */
  stateOf(path: TreePath): 'awaited' | 'come' | undefined {
    const number = numberOf(this.#roll.names, path);
    if (number === undefined) return undefined;
    return this.#awaited[number] === TURN.none ? 'come' : 'awaited';
  }

  /** Whether the file was put together from pages, so that no tar has shown the whole of it. */
  isBuilt(path: TreePath): boolean {
    const number = numberOf(this.#roll.names, path);
    return number !== undefined && this.#isBuilt[number] === 1;
  }

  /** The number of a file that no tar of the present backup had; `undefined` when all have come. */
  missing(): number | undefined {
    const number = this.#awaited.findIndex((turn) => turn !== TURN.none);
    return number === -1 ? undefined : number;
  }
}
