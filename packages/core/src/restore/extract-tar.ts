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
import { treePath } from '../cluster/tree-path.ts';
import { collect } from '../stream/collect.ts';
import { owned } from '../stream/owned.ts';
import { lent } from '../stream/release.ts';
import { memberBatches, type MemberBatches } from './member-batches.ts';
import { HELD_BYTES_MAX, isHeld } from './held-files.ts';

/**
 * Files that a restored directory must not have from the backup: they are of the server that ran
 * there, or this restore writes its own.
 */
const LEFT_OUT: ReadonlySet<string> = new Set([
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
      this.rootMode = header.mode;
      this.#batches.member({ ...named(header), path: '' as TreePath, kind: 'directory' });
      return;
    }
    const path = treePath(header.name, header.rawName);
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
    if (!this.#isWanted(header)) return;
    const member = { ...named(header), path };
    const { mode } = header;
    const sum = fileChecksum(this.#task.checksum);
    const content = this.#summed(body, sum);
    const found = (): FileSum => ({ bytes: header.bytes, checksum: sum.hex() });
    if (isHeld(path)) {
      const limits = { maxBytes: HELD_BYTES_MAX, what: path };
      const whole = await collect(owned(content), limits);
      this.#batches.member({ ...member, ...found(), kind: 'held', content: whole, mode });
    } else if (LEFT_OUT.has(path)) {
      for await (const _ of content);
      this.#batches.member({ ...member, ...found(), kind: 'left-out' });
    } else if (await this.#placer.file(path, mode, content)) {
      this.#batches.member({ ...member, ...found(), kind: 'placed' });
    } else {
      this.#batches.member({ ...member, kind: 'taken' });
    }
  }

  /** By the exact name in the tar, as WAL-G does; a name that no JSON record can hold is wanted. */
  #isWanted({ name, rawName }: TarHeader): boolean {
    const { wanted } = this.#task;
    if (wanted === undefined || rawName !== undefined || ALWAYS.has(name)) return true;
    return numberOf(wanted, name) !== undefined;
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

  async *#summed(body: ByteSource, sum: FileChecksum): ByteSource {
    for await (const chunk of body) {
      sum.add(chunk);
      this.#batches.read(chunk.length);
      yield chunk;
    }
  }
}

function named({ name, rawName }: TarHeader): { readonly name: string | undefined } {
  return { name: rawName === undefined ? name : undefined };
}
