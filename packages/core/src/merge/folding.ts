import { TsbkError } from '../kernel/errors.ts';
import { toInstant, type Instant } from '../kernel/instant.ts';
import { numberOf } from '../kernel/name-index.ts';
import type { ChecksumAlgorithm } from '../kernel/checksum-algorithm.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import { fileChecksum } from '../format/file-checksum.ts';
import type { TarHeader } from '../format/tar/header.ts';
import type { TarEntry } from '../format/tar/read.ts';
import { isRootName } from '../format/tar/safe-path.ts';
import { printable, TREE_ROOT, treePath } from '../format/tree-path.ts';
import type { SourceMember } from '../ports/backup-source.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { FileSum } from '../ports/extract.ts';
import { HELD_BYTES_MAX, heldFiles, isHeld } from '../repository/chain/held-files.ts';
import type { PlannedTar } from '../repository/chain/planned-link.ts';
import type { ManifestCheck } from '../repository/chain/manifest-check.ts';
import { TURN, type Roll } from '../repository/chain/roll.ts';
import type { FileList } from '../repository/file-list.ts';
import { tarNameOf } from '../repository/new-backup/canonical.ts';
import type { Packer } from '../repository/new-backup/pack.ts';
import { collect } from '../stream/collect.ts';
import { owned } from '../stream/owned.ts';
import { sourceOf } from '../stream/source.ts';
import type { ScratchBytes } from '../stream/scratch-bytes.ts';
import { BuiltSums } from './built-sums.ts';
import { KeptPages } from './kept-pages.ts';
import type { MadeLines } from './made-lines.ts';
import { overlay } from './overlay.ts';

/** Where the files of a merged backup go. */
export interface FoldTarget {
  readonly roll: Roll;
  /** By the roll's numbers: when each file was last changed, as the newest backup's list says; 0 if not. */
  readonly times: BigInt64Array;
  readonly pack: Packer;
  readonly list: FileList;
  readonly scratch: ScratchBytes;
  readonly algorithm: ChecksumAlgorithm;
  /** What the newest backup's manifest says; without one, `lines` gets all that passes. */
  readonly check: ManifestCheck | undefined;
  readonly lines: MadeLines | undefined;
  /** Hears how many bytes were packed. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * Takes the members of a chain's tars, backup by backup from the newest to the full one, and packs each
 * file of the newest as soon as all of it is known: what is whole at once, pages when the file below
 * them comes.
 */
export class Folding {
  readonly held = heldFiles();
  readonly sums: BuiltSums;
  /** `pg_control` as a member, from the same tar as its bytes. */
  control: SourceMember | undefined;
  files = 0;
  /** Payload of everything that was packed. */
  plainBytes = 0;
  readonly #target: FoldTarget;
  readonly #kept: KeptPages;
  /** By number: what is awaited from the present backup. */
  #awaited = new Uint8Array(0);
  #isNewest = true;
  #hasRoot = false;

  constructor(target: FoldTarget) {
    const { count } = target.roll.names;
    this.#target = target;
    this.sums = new BuiltSums(count);
    this.#kept = new KeptPages(target.scratch, count);
  }

  /** Goes on to the backup at this depth, 0 for the newest. */
  beginLink(depth: number): void {
    this.#awaited = Uint8Array.from(this.#target.roll.turns[depth] ?? []);
    this.#isNewest = depth === 0;
  }

  /** The number of a file that no tar of the present backup had; `undefined` when all have come. */
  missing(): number | undefined {
    const number = this.#awaited.findIndex((turn) => turn !== TURN.none);
    return number === -1 ? undefined : number;
  }

  /** Throws `tar-invalid`, `unsafe-name`, `object-corrupt`, `scratch-failed` and what the packer throws. */
  async member({ header, body }: TarEntry, tar: Pick<PlannedTar, 'key' | 'last'>): Promise<void> {
    if (header.kind === 'directory' && isRootName(header.name)) return await this.#root(header);
    const path = treePath(header.name, header.rawName);
    const number = header.rawName === undefined ? this.#numberOf(path) : undefined;
    const turn = this.#turnOf(path, { header, number });
    if (turn === TURN.none) return;
    if (number !== undefined) this.#awaited[number] = TURN.none;
    const member = memberOf(path, header, tar.key);
    if (member.kind === 'file' && isHeld(path))
      return await this.#hold(member, { path, body, tar });
    if (member.kind !== 'file' || number === undefined) {
      return await this.#whole(member, { path, body, number });
    }
    if (turn === TURN.pages) {
      const what = `${tar.key}, ${printable(path)}`;
      return await this.#kept.keep(number, { member, body, what });
    }
    if (!this.#kept.has(number)) return await this.#whole(member, { path, body, number });
    await this.#built(number, { path, body });
  }

  async #root(header: TarHeader): Promise<void> {
    if (!this.#isNewest || this.#hasRoot) return;
    this.#hasRoot = true;
    const number = this.#numberOf(TREE_ROOT);
    if (number !== undefined) this.#awaited[number] = TURN.none;
    const { mode, uid, gid, modified } = header;
    const root: SourceMember = { kind: 'directory', path: '', bytes: 0, mode, uid, gid, modified };
    await this.#target.list.add({ name: tarNameOf(root), modified });
    await this.#target.pack.add(root, sourceOf());
  }

  #numberOf(path: TreePath): number | undefined {
    return numberOf(this.#target.roll.names, path);
  }

  /** No JSON record can hold a name that is not UTF-8: such a file is whole in each backup. */
  #turnOf(
    path: TreePath,
    { header, number }: { readonly header: TarHeader; readonly number: number | undefined },
  ): number {
    const isUnlisted = header.rawName !== undefined || isHeld(path);
    if (isUnlisted && this.#isNewest) return TURN.whole;
    return number === undefined ? TURN.none : (this.#awaited[number] ?? TURN.none);
  }

  async #hold(
    member: SourceMember,
    from: {
      readonly path: TreePath;
      readonly body: ByteSource;
      readonly tar: { readonly last: boolean };
    },
  ): Promise<void> {
    const { path, body, tar } = from;
    const bytes = await collect(owned(body), { maxBytes: HELD_BYTES_MAX, what: path });
    this.held.hold(path, { bytes, mode: member.mode }, tar.last);
    const isTaken = this.held.get('global/pg_control')?.bytes === bytes;
    if (isTaken) this.control = member;
    const sum = fileChecksum(this.#target.algorithm);
    sum.add(bytes);
    this.#target.check?.compare(path, { bytes: bytes.length, checksum: sum.hex() });
  }

  /** A directory, a link, or a file that newer backups have nothing of. */
  async #whole(
    member: SourceMember,
    from: {
      readonly path: TreePath;
      readonly body: ByteSource;
      readonly number: number | undefined;
    },
  ): Promise<void> {
    const { path, body, number } = from;
    const sum = await this.#pack(member, { body, number });
    if (member.kind === 'file') this.#target.check?.compare(path, sum);
  }

  /** A file that newer backups have pages of. */
  async #built(
    number: number,
    { path, body }: { readonly path: TreePath; readonly body: ByteSource },
  ): Promise<void> {
    const file = await this.#kept.file(number);
    const laid = overlay(file, body, this.#target.scratch);
    this.sums.add(number, await this.#pack(file.member, { body: laid, number }));
    // No manifest tells its sum: it is held against a line of its own when there is one.
    this.#target.check?.take(path);
  }

  async #pack(
    member: SourceMember,
    { body, number }: { readonly body: ByteSource; readonly number: number | undefined },
  ): Promise<FileSum> {
    const { list, pack, algorithm, lines, times } = this.#target;
    const time = number === undefined ? 0n : (times[number] ?? 0n);
    const modified: Instant = time === 0n ? member.modified : toInstant(time);
    if (member.rawPath === undefined) await list.add({ name: tarNameOf(member), modified });
    const sum = fileChecksum(algorithm);
    await pack.add(member, this.#summed(member.kind === 'file' ? body : sourceOf(), sum));
    const found = { bytes: member.bytes, checksum: sum.hex() };
    if (member.kind !== 'file') return found;
    this.files += 1;
    this.plainBytes += member.bytes;
    await lines?.add(member, found);
    return found;
  }

  async *#summed(body: ByteSource, sum: { add(chunk: Uint8Array): void }): ByteSource {
    for await (const chunk of body) {
      sum.add(chunk);
      this.#target.onBytes(chunk.length);
      yield chunk;
    }
  }
}

function memberOf(path: TreePath, header: TarHeader, key: string): SourceMember {
  const { kind, bytes, mode, uid, gid, modified, linkName = '' } = header;
  if (kind === 'other') {
    throw new TsbkError('tar-invalid', `${key} holds ${header.name}, which is no file`, {
      hint: 'No PostgreSQL backup has hard links, devices or pipes. Find out who wrote this archive.',
    });
  }
  const raw = header.rawName === undefined ? {} : { rawPath: Buffer.from(path, 'latin1') };
  const common = { kind, path: printable(path), ...raw, mode, uid, gid, modified };
  if (kind !== 'symlink') return { ...common, bytes: kind === 'file' ? bytes : 0 };
  // WAL-G records no target of most links; it writes their own name in its place.
  const target = linkName === '' ? path.slice(path.lastIndexOf('/') + 1) : linkName;
  return { ...common, bytes: 0, linkTarget: target };
}
