import { TsbkError } from '../kernel/errors.ts';
import { NameIndexBuilder, numberOf } from '../kernel/name-index.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import type { ExtractBatch, ExtractedMember, FileSum, WantedMembers } from '../ports/extract.ts';
import type { Report } from '../ports/report.ts';
import { printable } from '../format/tree-path.ts';
import type { Attendance } from './attendance.ts';
import { heldFiles, type HeldFiles } from '../repository/chain/held-files.ts';
import type { ManifestCheck } from '../repository/chain/manifest-check.ts';
import type { PlannedTar } from '../repository/chain/planned-link.ts';
import type { RestorePlan } from './plan.ts';

/** What the backup's records say of its files. */
interface KnownFiles {
  readonly check: ManifestCheck | undefined;
  readonly attendance: Attendance | undefined;
}

type UnpackedTar = Pick<PlannedTar, 'key' | 'last'>;

/**
 * Keeps the roll of a restore while its tars are unpacked, several at once: which files the records
 * promise and which have come, whether they are what the manifest says, what is held back.
 */
export class Arrivals {
  readonly held: HeldFiles = heldFiles();
  files = 0;
  bytes = 0;
  /** What files that were there before had already. */
  sparedBytes = 0;
  readonly #plan: RestorePlan;
  readonly #check: ManifestCheck | undefined;
  readonly #attendance: Attendance | undefined;
  readonly #report: Report;
  /** Paths of files that were made; kept only where nothing lists the files. */
  readonly #placed: NameIndexBuilder | undefined;
  /** Files that were there when a tar had them. */
  readonly #doubtful = new Set<TreePath>();

  constructor(plan: RestorePlan, { check, attendance }: KnownFiles, report: Report) {
    this.#plan = plan;
    this.#check = check;
    this.#attendance = attendance;
    this.#report = report;
    const isKnown = attendance !== undefined || check !== undefined;
    this.#placed = isKnown ? undefined : new NameIndexBuilder();
  }

  /** Goes on to a backup of the chain, and says what is wanted of its tars. */
  beginLink(depth: number): WantedMembers | undefined {
    return this.#attendance?.begin(depth);
  }

  /** Throws `object-corrupt` for a file that is not what the manifest says. */
  batch({ bytes, members, warnings }: ExtractBatch, tar: UnpackedTar): void {
    for (const warning of warnings) this.#report({ kind: 'warning', ...warning });
    for (const member of members) this.#member(member, tar);
    this.bytes += bytes;
    if (bytes === 0) return;
    const { writeBytes: totalBytes } = this.#plan;
    this.#report({ kind: 'progress', phase: 'extract', bytes: this.bytes, totalBytes });
  }

  /**
   * When the tars of one backup of the chain are unpacked: the number of a file that they should
   * have had. Throws `restore-failed` if a file is not from the backup but was there before its turn.
   */
  endLink(): number | undefined {
    for (const path of this.#doubtful) if (!this.#isMade(path)) throw appeared(path);
    this.#doubtful.clear();
    return this.#attendance?.missing();
  }

  #member(member: ExtractedMember, tar: UnpackedTar): void {
    const { path } = member;
    if (member.kind === 'taken') return this.#taken(path, tar);
    const isFirst = this.#attendance?.arrived(member) !== false;
    if ('checksum' in member) return this.#whole(member, tar);
    if (member.kind === 'pages' || member.kind === 'filled') {
      return isFirst ? this.#built(member) : this.#isTwice(path, tar);
    }
  }

  #whole(member: ExtractedMember & FileSum, tar: UnpackedTar): void {
    const { path } = member;
    if (member.kind === 'held') {
      this.held.hold(path, { bytes: member.content, mode: member.mode }, tar.last);
    } else if (member.kind === 'placed') {
      this.files += 1;
      this.sparedBytes += member.sparedBytes;
      this.#placed?.add(path);
    }
    this.#check?.compare(path, member);
  }

  /** The whole of the file was in no tar: it is read again when the manifest is written. */
  #built(member: ExtractedMember & { readonly kind: 'pages' | 'filled' }): void {
    if (member.kind === 'pages' && member.isNew) this.files += 1;
    this.#check?.take(member.path);
  }

  #taken(path: TreePath, tar: UnpackedTar): void {
    this.#doubtful.add(path);
    this.#isTwice(path, tar);
  }

  #isTwice(path: TreePath, { key }: UnpackedTar): void {
    const text = `${key} holds ${printable(path)}, which is in the backup twice; one was taken`;
    this.#report({ kind: 'warning', code: 'duplicate', text });
  }

  /** Whether a file that was there already had been made by this restore. */
  #isMade(path: TreePath): boolean {
    if (this.#placed !== undefined) return numberOf(this.#placed.index(), path) !== undefined;
    const state = this.#attendance?.stateOf(path);
    return state === undefined ? this.#check?.awaits(path) !== true : state === 'come';
  }
}

function appeared(path: TreePath): TsbkError {
  return new TsbkError(
    'restore-failed',
    `${printable(path)} appeared in the directory while it was restored`,
    { hint: 'Something else writes there. Find out what, and give another directory.' },
  );
}
