import { TsbkError } from '../kernel/errors.ts';
import { toInstant } from '../kernel/instant.ts';
import type { BackupItem, SourceMember } from '../ports/backup-source.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { Report } from '../ports/report.ts';
import type { FileList } from '../repository/file-list.ts';
import { manifestKey } from '../repository/layout.ts';
import type { Repository } from '../repository/repository.ts';
import { createObject } from '../repository/write-object.ts';
import { collect } from '../stream/collect.ts';
import { owned } from '../stream/owned.ts';
import { bothOf } from '../stream/parallel.ts';
import { sourceOf } from '../stream/source.ts';
import { roleOf, tarNameOf } from '../repository/new-backup/canonical.ts';
import type { CopiedBackup } from './copied-backup.ts';
import type { MemberFilter } from './member-filter.ts';
import type { Packer } from '../repository/new-backup/pack.ts';
import { storeControl } from '../repository/new-backup/store-control.ts';

interface IntakeInputs {
  readonly repository: Repository;
  readonly list: FileList;
  readonly name: string;
  readonly dataDirectoryMode: number;
  /** The server's estimate of the bytes to come, for progress. */
  readonly estimatedBytes: number | undefined;
  readonly filter: MemberFilter;
  readonly pack: Packer;
}

interface IntakeOptions {
  readonly signal: AbortSignal;
  readonly report: Report;
}

type TarItem = Extract<BackupItem, { readonly kind: 'member' }>;

interface HeldFile {
  readonly member: SourceMember;
  readonly bytes: Uint8Array;
}

/** These are small by nature: 8 KiB, a dozen lines, a line for each tablespace. */
const SMALL_FILE_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Takes the members of a backup stream one after the other: data goes to the packer, `pg_control` and
 * the label files are held back.
 */
export class MemberIntake {
  readonly #inputs: IntakeInputs;
  readonly #options: IntakeOptions;
  readonly #held = new Map<string, HeldFile>();
  #plainBytes = 0;
  #catalogBytes = 0;

  constructor(inputs: IntakeInputs, options: IntakeOptions) {
    this.#inputs = inputs;
    this.#options = options;
  }

  /** PostgreSQL's stream has no entry for the data directory itself; WAL-G's tars have `/`. */
  async root(): Promise<void> {
    const { list, pack, dataDirectoryMode: mode } = this.#inputs;
    const modified = toInstant(0n);
    await list.add({ name: '/', modified });
    const root = { kind: 'directory', path: '', bytes: 0, mode, modified, uid: 0, gid: 0 } as const;
    await pack.add(root, sourceOf());
  }

  async take({ member, body }: TarItem): Promise<void> {
    if (roleOf(member) === 'data') await this.#store(member, body);
    else await this.#hold(member, body);
    const { estimatedBytes: totalBytes } = this.#inputs;
    this.#options.report({
      kind: 'progress',
      phase: 'copy',
      bytes: this.#catalogBytes,
      totalBytes,
    });
  }

  /**
   * Stores the manifest, which comes last, and what was held back. Throws `protocol-violation` where
   * something did not come.
   */
  async finish(
    body: ByteSource,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<
    Pick<CopiedBackup, 'control' | 'manifest' | 'labels' | 'plainBytes' | 'catalogBytes'>
  > {
    const { repository, name, filter } = this.#inputs;
    const held = this.#required('global/pg_control');
    const label = this.#required('backup_label');
    const [control, manifest] = await bothOf(
      (both) => storeControl(repository, { name, ...held }, { signal: both }),
      (both) => {
        const object = { key: manifestKey(name), source: filter.manifest(body, label.bytes) };
        return createObject(repository, object, { signal: both });
      },
      { signal },
    );
    return {
      control,
      manifest,
      labels: {
        label: filter.label(label.bytes),
        tablespaceMap: this.#held.get('tablespace_map')?.bytes ?? new Uint8Array(0),
        mode: label.member.mode & 0o777,
      },
      plainBytes: this.#plainBytes,
      catalogBytes: this.#catalogBytes,
    };
  }

  async #hold(member: SourceMember, body: ByteSource): Promise<void> {
    const bytes = await collect(owned(body), { maxBytes: SMALL_FILE_BYTES_MAX, what: member.path });
    this.#held.set(member.path, { member, bytes });
    this.#plainBytes += member.bytes;
    this.#catalogBytes += member.bytes;
  }

  async #store(source: SourceMember, sourceBody: ByteSource): Promise<void> {
    const { list, pack, filter } = this.#inputs;
    const { member, body, content, fileBytes } = await filter.take(source, sourceBody);
    if (member.rawPath === undefined) {
      await list.add({ name: tarNameOf(member), modified: member.modified, content });
    } else {
      this.#options.report({
        kind: 'warning',
        code: 'name-not-utf8',
        text: `the name of ${member.path} is not UTF-8: tsbk restores it, wal-g does not`,
      });
    }
    if (content !== 'skipped') await pack.add(member, body);
    this.#plainBytes += member.bytes;
    this.#catalogBytes += fileBytes;
  }

  #required(path: string): HeldFile {
    const file = this.#held.get(path);
    if (file === undefined) throw incomplete(path);
    return file;
  }
}

/** Something that every backup has did not come. */
export function incomplete(what: string): TsbkError {
  return new TsbkError('protocol-violation', `the server's backup stream had no ${what}`, {
    hint: 'Connect directly to PostgreSQL, not through a pooler.',
  });
}
