import { TsbkError } from '../kernel/errors.ts';
import { readTar, type TarEntry } from '../format/tar/read.ts';
import { isRootName, safeLinkTarget } from '../format/tar/safe-path.ts';
import type { TarHeader } from '../format/tar/header.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { Report } from '../ports/report.ts';
import { openVerified } from '../repository/open-verified.ts';
import type { Repository } from '../repository/repository.ts';
import type { Placer } from '../cluster/place.ts';
import { printable, treePath, type TreePath } from '../cluster/tree-path.ts';
import { mapParallel } from '../stream/parallel.ts';
import { heldFiles, type HeldFiles } from './held-files.ts';
import { readManifestCheck, type ManifestCheck } from './manifest-check.ts';
import type { PlannedTar, RestorePlan } from './plan.ts';

/** What came out of the tars beside the files that are in place. */
export interface Extracted {
  readonly held: HeldFiles;
  /** Permission bits of the data directory: 0o700 or 0o750. */
  readonly rootMode: number;
  readonly files: number;
  readonly bytes: number;
}

export interface ExtractInputs {
  readonly repository: Repository;
  readonly plan: RestorePlan;
  readonly placer: Placer;
  /** Tars at once. */
  readonly width: number;
}

interface ExtractOptions {
  readonly signal: AbortSignal;
  readonly report: Report;
}

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
const PROGRESS_BYTES = 8 * 1024 * 1024;

/**
 * Unpacks the tars of a plan, several at once and those with `pg_control` and labels after the
 * others, and checks everything there is a record of: each object against its hashes, each file
 * against the manifest, and that no file is missing. Throws `object-corrupt`, `object-missing`,
 * `tar-invalid`, `unsafe-name`, `backup-incomplete` and what the placer throws.
 */
export async function extractTars(
  inputs: ExtractInputs,
  { signal, report }: ExtractOptions,
): Promise<Extracted> {
  const { repository, plan, width } = inputs;
  const check =
    plan.manifest === undefined
      ? undefined
      : await readManifestCheck(repository, plan.manifest, { signal });
  const extraction = new Extraction(inputs, check, report);
  for (const last of [false, true]) {
    const tars = plan.tars.filter((tar) => tar.last === last);
    await mapParallel(tars, { width, signal }, (tar, both) => extraction.tar(tar, both));
  }
  return extraction.result();
}

/** What is known of the backup's files while they come, from several tars at once. */
class Extraction {
  readonly #inputs: ExtractInputs;
  readonly #check: ManifestCheck | undefined;
  readonly #report: Report;
  readonly #held = heldFiles();
  /** Names that the records list and no tar has had yet. */
  readonly #awaited: Set<string>;
  #rootMode = 0o700;
  #files = 0;
  #bytes = 0;
  #reported = 0;

  constructor(inputs: ExtractInputs, check: ManifestCheck | undefined, report: Report) {
    this.#inputs = inputs;
    this.#check = check;
    this.#report = report;
    this.#awaited = new Set(inputs.plan.files?.keys());
  }

  async tar(tar: PlannedTar, signal: AbortSignal): Promise<void> {
    const source = await openVerified(this.#inputs.repository, tar, { signal });
    // WAL-G's remote backups end right after the last member; what is cut off, the codec notices.
    const endBlocks = tar.record === undefined ? 'optional' : 'required';
    for await (const entry of readTar(source, { endBlocks, what: tar.key })) {
      signal.throwIfAborted();
      await this.#entry(entry, tar);
    }
  }

  result(): Extracted {
    const [missing] = this.#awaited;
    const unlisted = missing === undefined ? this.#check?.missing() : undefined;
    if (missing !== undefined || unlisted !== undefined) {
      const { name } = this.#inputs.plan.backup;
      throw new TsbkError('backup-incomplete', `no tar of ${name} holds ${missing ?? unlisted}`, {
        hint: 'The backup lost an object, or a tar was cut off. Choose another backup.',
      });
    }
    return { held: this.#held, rootMode: this.#rootMode, files: this.#files, bytes: this.#bytes };
  }

  async #entry({ header, body }: TarEntry, tar: PlannedTar): Promise<void> {
    if (header.rawName === undefined) this.#arrived(header);
    if (header.kind === 'directory' && isRootName(header.name)) {
      this.#rootMode = (header.mode & 0o777) === 0o750 ? 0o750 : 0o700;
      return;
    }
    const path = treePath(header.name, header.rawName);
    switch (header.kind) {
      case 'directory':
        return await this.#inputs.placer.directory(path, header.mode);
      case 'symlink':
        return this.#link(path, header);
      case 'file':
        return await this.#file(path, header, { body, tar });
      case 'other':
        throw new TsbkError('tar-invalid', `${tar.key} holds ${header.name}, which is no file`, {
          hint: 'No PostgreSQL backup has hard links, devices or pipes. Find out who wrote this archive.',
        });
    }
  }

  /** WAL-G lists directories of local backups, and those without the slash that tars may have. */
  #arrived({ name, kind }: TarHeader): void {
    this.#awaited.delete(name);
    if (kind === 'directory') this.#awaited.delete(name.replace(/(?<=.)\/$/, ''));
  }

  async #file(
    path: TreePath,
    header: TarHeader,
    { body, tar }: { readonly body: ByteSource; readonly tar: PlannedTar },
  ): Promise<void> {
    if (!this.#isWanted(header)) return;
    const checked = this.#check?.content(path, body) ?? body;
    const content = this.#counted(checked);
    if (this.#held.isHeld(path)) {
      await this.#held.hold(path, { mode: header.mode, body: content }, tar.last);
    } else if (LEFT_OUT.has(path)) {
      for await (const _ of content);
    } else if (await this.#inputs.placer.file(path, header.mode, content)) {
      this.#files += 1;
    } else {
      this.#warn('duplicate', `${printable(path)} is in the backup twice; one of them was taken`);
    }
  }

  /** By the exact name in the tar, as WAL-G does; a name that no JSON record can hold is wanted. */
  #isWanted({ name, rawName }: TarHeader): boolean {
    const { files } = this.#inputs.plan;
    return files === undefined || rawName !== undefined || ALWAYS.has(name) || files.has(name);
  }

  /** Tablespaces get their links from the plan; WAL-G records no target of any other link. */
  #link(path: TreePath, { name, linkName = '' }: TarHeader): void {
    if (/^pg_tblspc\/\d+$/.test(path)) return;
    const own = path.slice(path.lastIndexOf('/') + 1);
    if (linkName === own || linkName === '') {
      this.#warn('link-lost', `${name} was a symbolic link whose target the backup does not hold`);
      return;
    }
    try {
      this.#inputs.placer.link(path, safeLinkTarget(path, linkName));
    } catch {
      this.#warn('link-outside', `${name} was a link to ${linkName} and is left out`);
    }
  }

  async *#counted(body: ByteSource): ByteSource {
    for await (const chunk of body) {
      this.#bytes += chunk.length;
      if (this.#bytes - this.#reported >= PROGRESS_BYTES) {
        this.#reported = this.#bytes;
        const { writeBytes: totalBytes } = this.#inputs.plan;
        this.#report({ kind: 'progress', phase: 'extract', bytes: this.#bytes, totalBytes });
      }
      yield chunk;
    }
  }

  #warn(code: string, text: string): void {
    this.#report({ kind: 'warning', code, text });
  }
}
