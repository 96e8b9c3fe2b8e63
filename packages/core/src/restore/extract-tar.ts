import { TsbkError } from '../kernel/errors.ts';
import { numberOf } from '../kernel/name-index.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import { fileChecksum, type FileChecksum } from '../format/file-checksum.ts';
import type { TarHeader } from '../format/tar/header.ts';
import { readTar, type TarEntry } from '../format/tar/read.ts';
import { isRootName, safeLinkTarget } from '../format/tar/safe-path.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { ExtractOptions, ExtractReceipt, ExtractTask, FileSum } from '../ports/extract.ts';
import { openVerified } from '../repository/open-verified.ts';
import type { Repository } from '../repository/repository.ts';
import { createPlacer, type Placer } from '../cluster/place.ts';
import { printable, treePath } from '../format/tree-path.ts';
import { collect } from '../stream/collect.ts';
import { owned } from '../stream/owned.ts';
import { lent } from '../stream/release.ts';
import { begunFile, type BegunFile } from '../repository/chain/begun-file.ts';
import { memberBatches, type MemberBatches } from './member-batches.ts';
import { HELD_BYTES_MAX, isHeld } from '../repository/chain/held-files.ts';
import { fillFile, placeIncrement } from './place-pages.ts';
import { RunSums } from './run-sums.ts';
import { TURN } from '../repository/chain/roll.ts';

/**
 * Files that a restored directory must not have from the backup: they are of the server that ran
 * there, or this restore writes its own.
 */
export const LEFT_OUT: ReadonlySet<string> = new Set([
  'postmaster.pid',
  'postmaster.opts',
  'recovery.signal',
  'standby.signal',
  'backup_manifest',
]);
/** Utility files that WAL-G restores whether its records list them or not. */
const ALWAYS: ReadonlySet<string> = new Set([
  '/global/pg_control',
  'backup_label',
  'tablespace_map',
]);

/**
 * Puts the members of one tar in their places: get ▸ decrypt ▸ decompress ▸ verify ▸ untar ▸ place.
 * What a task shares with others of the same restore is the file system alone. When it resolves,
 * the object was what its record says and its files are on the disk. Throws `object-corrupt`,
 * `object-missing`, `tar-invalid`, `unsafe-name` and what the placer throws.
 */
export async function extractTar(
  repository: Repository,
  task: ExtractTask,
  { signal, onBatch }: ExtractOptions,
): Promise<ExtractReceipt> {
  const { tar, place } = task;
  const placer = createPlacer({ ...place, signal });
  try {
    const batches = memberBatches(onBatch);
    const extraction = new Extraction(task, placer, batches);
    const source = lent(await openVerified(repository, tar, { signal, large: true }));
    // WAL-G's remote backups end right after the last member; what is cut off, the codec notices.
    const endBlocks = tar.record === undefined ? 'optional' : 'required';
    for await (const entry of readTar(source, { endBlocks, what: tar.key })) {
      signal.throwIfAborted();
      await extraction.member(entry);
    }
    await placer.flush();
    batches.flush();
    return { ...placer.made(), rootMode: extraction.rootMode };
  } finally {
    await placer.abandon();
  }
}

/** The members of one tar as they come. */
class Extraction {
  rootMode: number | undefined;
  readonly #task: ExtractTask;
  readonly #placer: Placer;
  readonly #batches: MemberBatches;

  constructor(task: ExtractTask, placer: Placer, batches: MemberBatches) {
    this.#task = task;
    this.#placer = placer;
    this.#batches = batches;
  }

  async member({ header, body }: TarEntry): Promise<void> {
    if (header.kind === 'directory' && isRootName(header.name)) {
      if (this.#isOld) return;
      this.rootMode = header.mode;
      this.#batches.member({ ...named(header), path: '' as TreePath, kind: 'directory' });
      return;
    }
    const path = treePath(header.name, header.rawName);
    if (header.kind !== 'file' && this.#isOld && this.#turnOf(path, header) === TURN.none) return;
    switch (header.kind) {
      case 'directory':
        await this.#placer.directory(path, header.mode);
        return this.#batches.member({ ...named(header), path, kind: 'directory' });
      case 'symlink':
        this.#link(path, header);
        return this.#batches.member({ ...named(header), path, kind: 'link' });
      case 'file':
        return await this.#file(path, header, body);
      case 'other':
        throw new TsbkError(
          'tar-invalid',
          `${this.#task.tar.key} holds ${header.name}, which is no file`,
          {
            hint: 'No PostgreSQL backup has hard links, devices or pipes. Find out who wrote this archive.',
          },
        );
    }
  }

  async #file(path: TreePath, header: TarHeader, body: ByteSource): Promise<void> {
    const turn = this.#turnOf(path, header);
    if (turn === TURN.none) return;
    const { mode } = header;
    const begun = this.#begun(path);
    // What is held must never lie there before its turn, whatever the records say of it.
    const isPlaced = !isHeld(path) && !LEFT_OUT.has(path);
    if (isPlaced && (turn === TURN.pages || begun !== undefined)) {
      return await this.#pages(path, { header, body, begun, turn });
    }
    const member = { ...named(header), path };
    const sum = fileChecksum(this.#task.checksum);
    const content = this.#counted(body, sum);
    const found = (): FileSum => ({ bytes: header.bytes, checksum: sum.hex() });
    if (isHeld(path) && !this.#isOld) {
      const limits = { maxBytes: HELD_BYTES_MAX, what: path };
      const whole = await collect(owned(content), limits);
      this.#batches.member({ ...member, ...found(), kind: 'held', content: whole, mode });
    } else if (LEFT_OUT.has(path) || isHeld(path)) {
      for await (const _ of content);
      this.#batches.member({ ...member, ...found(), kind: 'left-out' });
    } else {
      const sparedBytes = await this.#place(path, header, content);
      this.#batches.member(
        sparedBytes === undefined
          ? { ...member, kind: 'taken' }
          : { ...member, ...found(), kind: 'placed', sparedBytes },
      );
    }
  }

  /** Gives how much was there already, bytes; `undefined` if something else is. */
  async #place(
    path: TreePath,
    { mode, bytes }: TarHeader,
    content: ByteSource,
  ): Promise<number | undefined> {
    if (this.#isOver(path)) return bytes - (await this.#placer.replace(path, mode, content));
    return (await this.#placer.file(path, mode, content)) ? 0 : undefined;
  }

  /** A file that several backups of a chain have pages of. */
  async #pages(path: TreePath, { header, body, begun, turn }: PagesTurn): Promise<void> {
    const member = { ...named(header), path };
    const content = this.#counted(body, fileChecksum('NONE'));
    const { mode, bytes } = header;
    const what = `${this.#task.tar.key}, ${printable(path)}`;
    // Of other checksums that of the whole does not follow from those of its pages.
    const sums = this.#task.checksum === 'CRC32C' ? new RunSums() : undefined;
    const pages = { path, mode, bytes, body: content, sums, what };
    if (turn === TURN.whole && begun !== undefined) {
      const runs = await fillFile(this.#placer, pages, begun);
      return this.#batches.member({ ...member, kind: 'filled', runs });
    }
    const placed = await placeIncrement(this.#placer, pages, begun);
    this.#batches.member(
      placed === undefined ? { ...member, kind: 'taken' } : { ...member, kind: 'pages', ...placed },
    );
  }

  /** Whether this is a backup below the one to restore, which gives nothing but what is asked for. */
  get #isOld(): boolean {
    return this.#task.wanted?.isNewest === false;
  }

  /** What is wanted of a member. No JSON record can hold a name that is not UTF-8. */
  #turnOf(path: TreePath, { name, rawName }: TarHeader): number {
    const { wanted } = this.#task;
    if (wanted === undefined) return TURN.whole;
    if (rawName !== undefined || ALWAYS.has(name)) return this.#isOld ? TURN.none : TURN.whole;
    const number = numberOf(wanted.names, path);
    return number === undefined ? TURN.none : (wanted.turns[number] ?? TURN.none);
  }

  /** Whether the path has a file of before that is this one's to write over: the first lane's that asks. */
  #isOver(path: TreePath): boolean {
    const { wanted } = this.#task;
    if (wanted?.over === undefined) return false;
    const number = numberOf(wanted.names, path);
    return number !== undefined && Atomics.exchange(wanted.over, number, 0) === 1;
  }

  #begun(path: TreePath): BegunFile | undefined {
    const { wanted } = this.#task;
    const number = wanted === undefined ? undefined : numberOf(wanted.names, path);
    if (wanted === undefined || number === undefined) return undefined;
    return begunFile(wanted.begun, number);
  }

  /** Tablespaces get their links from the plan; WAL-G records no target of any other link. */
  #link(path: TreePath, { name, linkName = '' }: TarHeader): void {
    if (/^pg_tblspc\/\d+$/.test(path)) return;
    const own = path.slice(path.lastIndexOf('/') + 1);
    if (linkName === own || linkName === '') {
      const text = `${name} was a symbolic link whose target the backup does not hold`;
      this.#batches.warning({ code: 'link-lost', text });
      return;
    }
    try {
      this.#placer.link(path, safeLinkTarget(path, linkName));
    } catch {
      const text = `${name} was a link to ${linkName} and is left out`;
      this.#batches.warning({ code: 'link-outside', text });
    }
  }

  async *#counted(body: ByteSource, sum: FileChecksum): ByteSource {
    for await (const chunk of body) {
      sum.add(chunk);
      this.#batches.read(chunk.length);
      yield chunk;
    }
  }
}

interface PagesTurn {
  readonly header: TarHeader;
  readonly body: ByteSource;
  readonly begun: BegunFile | undefined;
  readonly turn: number;
}

function named({ name, rawName }: TarHeader): { readonly name: string | undefined } {
  return { name: rawName === undefined ? name : undefined };
}
