import { TsbkError } from '../kernel/errors.ts';
import { NameIndexBuilder, numberOf } from '../kernel/name-index.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import type { ExtractBatch, ExtractedMember } from '../ports/extract.ts';
import type { Report } from '../ports/report.ts';
import { printable } from '../cluster/tree-path.ts';
import { heldFiles, type HeldFiles } from './held-files.ts';
import type { ListedFiles } from './listed-files.ts';
import type { ManifestCheck } from './manifest-check.ts';
import type { PlannedTar, RestorePlan } from './plan.ts';

/** What the backup's records say of its files. */
interface KnownFiles {
  readonly check: ManifestCheck | undefined;
  readonly listed: ListedFiles | undefined;
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
  readonly #plan: RestorePlan;
  readonly #check: ManifestCheck | undefined;
  readonly #listed: ListedFiles | undefined;
  readonly #report: Report;
  /** Paths of files that were made; kept only where nothing lists the files. */
  readonly #placed: NameIndexBuilder | undefined;
  /** Files that were there when a tar had them, by path; the name is the tar's. */
  readonly #doubtful = new Map<TreePath, string | undefined>();

  constructor(plan: RestorePlan, { check, listed }: KnownFiles, report: Report) {
    this.#plan = plan;
    this.#check = check;
    this.#listed = listed;
    this.#report = report;
    const isKnown = listed !== undefined || check !== undefined;
    this.#placed = isKnown ? undefined : new NameIndexBuilder();
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
   * When all tars are unpacked. Throws `restore-failed` if a file is not from the backup but was
   * there before its turn, `backup-incomplete` if a file of the records was in no tar.
   */
  async complete(): Promise<void> {
    for (const [path, name] of this.#doubtful) {
      if (!this.#isMade(path, name)) throw appeared(path);
    }
    const missing = (await this.#listed?.missing()) ?? (await this.#check?.missing());
    if (missing === undefined) return;
    const { name } = this.#plan.backup;
    throw new TsbkError('backup-incomplete', `no tar of ${name} holds ${missing}`, {
      hint: 'The backup lost an object, or a tar was cut off. Choose another backup.',
    });
  }

  #member(member: ExtractedMember, tar: UnpackedTar): void {
    if (member.kind === 'taken') return this.#taken(member, tar);
    this.#arrived(member);
    if (member.kind === 'directory' || member.kind === 'link') return;
    const { path } = member;
    this.#check?.compare(path, member);
    if (member.kind === 'held') {
      this.held.hold(path, { bytes: member.content, mode: member.mode }, tar.last);
    } else if (member.kind === 'placed') {
      this.files += 1;
      this.#placed?.add(path);
    }
  }

  #taken({ path, name }: ExtractedMember, { key }: UnpackedTar): void {
    this.#doubtful.set(path, name);
    const text = `${key} holds ${printable(path)}, which is in the backup twice; one was taken`;
    this.#report({ kind: 'warning', code: 'duplicate', text });
  }

  /** WAL-G lists directories of local backups, and those without the slash that tars may have. */
  #arrived({ name, kind }: ExtractedMember): void {
    if (name === undefined) return;
    this.#listed?.arrived(name);
    if (kind === 'directory' && name.endsWith('/')) {
      this.#listed?.arrived(name.replace(/(?<=.)\/$/, ''));
    }
  }

  /** Whether a file that was there already had been made by this restore. */
  #isMade(path: TreePath, name: string | undefined): boolean {
    if (this.#placed !== undefined) return numberOf(this.#placed.index(), path) !== undefined;
    const isAwaited = name !== undefined && this.#listed?.awaits(name) === true;
    return !isAwaited && this.#check?.awaits(path) !== true;
  }
}

function appeared(path: TreePath): TsbkError {
  return new TsbkError(
    'restore-failed',
    `${printable(path)} appeared in the directory while it was restored`,
    { hint: 'Something else writes there. Find out what, and give another directory.' },
  );
}
