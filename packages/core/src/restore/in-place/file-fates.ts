import { numberOf } from '../../kernel/name-index.ts';
import { TREE_ROOT } from '../../format/tree-path.ts';
import type { WalkedEntry } from '../../cluster/walk-tree.ts';
import { SERVER_LOCK } from '../../cluster/server-lock.ts';
import { LEFT_OUT } from '../extract-tar.ts';
import { isHeld } from '../../repository/chain/held-files.ts';
import { INCOMPLETE_MARK } from '../incomplete-mark.ts';
import { TURN, type Roll } from '../../repository/chain/roll.ts';

/** What becomes of what lies in a directory that is restored in place. */
export type Fate =
  /** It belongs to this run, which removes it at its end. */
  | 'own'
  /** It is what the backup has. */
  | 'stays'
  /** The backup's file is written over it, page by page. */
  | 'over'
  /** The backup does not have it, or it is made anew. */
  | 'goes';

/** Files of a restore in place, by their numbers in the roll; all empty where nothing is listed. */
export class FileFates {
  readonly #roll: Roll | undefined;
  /** 1: it is what the backup has. */
  readonly kept: Uint8Array;
  /** 1: to be written over. Shared memory: a lane that does it sets it to 0. */
  readonly over: Uint8Array;

  constructor(roll: Roll | undefined) {
    const count = roll?.names.count ?? 0;
    this.#roll = roll;
    this.kept = new Uint8Array(count);
    this.over = new Uint8Array(new SharedArrayBuffer(count));
    // The directory itself is there.
    const root = roll === undefined ? undefined : numberOf(roll.names, TREE_ROOT);
    if (root !== undefined) this.kept[root] = 1;
  }

  /** The number of what the backup lists under this path and may stay; `undefined` if it does not. */
  numberOf({ path }: WalkedEntry): number | undefined {
    if (this.#roll === undefined || isHeld(path) || LEFT_OUT.has(path)) return undefined;
    return numberOf(this.#roll.names, path);
  }

  /** Has a file written over, if it comes as a whole, and not from pages of several backups. */
  replace(number: number, entry: WalkedEntry): void {
    // What has another name too, somewhere, is not changed under that name.
    const isOwn = entry.names === 1 && mayWrite(entry, OWNER_READS_AND_WRITES);
    if (isOwn && this.#isWhole(number)) this.over[number] = 1;
  }

  of(entry: WalkedEntry): Fate {
    if (entry.path === SERVER_LOCK || entry.path === INCOMPLETE_MARK) return 'own';
    const number = this.numberOf(entry);
    if (number === undefined || entry.kind === 'other') return 'goes';
    if (this.kept[number] === 1) return 'stays';
    return entry.kind === 'file' && this.over[number] === 1 ? 'over' : 'goes';
  }

  /** Whether the newest backup that has anything of a file has the whole of it. */
  #isWhole(number: number): boolean {
    const turn = this.#roll?.turns.find((turns) => turns[number] !== TURN.none)?.[number];
    return turn === TURN.whole;
  }
}

const OWNER_READS_AND_WRITES = 0o600;

/** Whether something belongs to this process's user, who may do with it what these bits say. */
export function mayWrite({ uid, mode }: WalkedEntry, bits: number): boolean {
  const own = process.geteuid?.();
  return (own === undefined || own === uid) && (mode & bits) === bits;
}
