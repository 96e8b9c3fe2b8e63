import { toInstant } from '../kernel/instant.ts';
import { TsbkError } from '../kernel/errors.ts';
import type { BackupItem, SourceMember, StreamBackup } from '../ports/backup-source.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { Lanes, Receipt } from '../ports/lanes.ts';
import type { Report } from '../ports/report.ts';
import type { FileList } from '../repository/file-list.ts';
import { manifestKey } from '../repository/layout.ts';
import type { Repository } from '../repository/repository.ts';
import { createObject } from '../repository/write-object.ts';
import { collect } from '../stream/collect.ts';
import { owned } from '../stream/owned.ts';
import { sourceOf } from '../stream/source.ts';
import { roleOf, tarNameOf } from './canonical.ts';
import type { CopiedBackup } from './copied-backup.ts';
import { packer, type Packer } from './pack.ts';
import { storeControl } from './store-control.ts';

interface CopyInputs {
  readonly repository: Repository;
  readonly lanes: Lanes;
  readonly backup: StreamBackup;
  /** Where the members are listed. */
  readonly list: FileList;
  readonly name: string;
  readonly dataDirectoryMode: number;
}

interface CopyOptions {
  readonly partBytesMax: number;
  readonly signal: AbortSignal;
  readonly report: Report;
}

/** These are small by nature: 8 KiB, a dozen lines, a line for each tablespace. */
const SMALL_FILE_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Drains a backup stream into parts. `pg_control` and the label files are held back for tars of
 * their own; the manifest becomes a side object. Then hears the server's last word.
 */
export async function copyMembers(inputs: CopyInputs, options: CopyOptions): Promise<CopiedBackup> {
  const { backup, lanes, list, name } = inputs;
  const { signal } = options;
  const pack = packer({ backup: name, lanes, list, ...options });
  const intake = makeIntake(inputs, pack, options);
  try {
    await intake.root();
    for await (const item of backup.items()) {
      signal.throwIfAborted();
      await intake.take(item);
    }
    const parts = await pack.finish();
    const copied = await intake.finish();
    const { tablespaces } = backup.start;
    return { parts, tablespaces, ...copied, ...(await backup.end()) };
  } catch (error) {
    await pack.fail(error);
    throw error;
  }
}

interface Intake {
  root(): Promise<void>;
  take(item: BackupItem): Promise<void>;
  finish(): Promise<Pick<CopiedBackup, 'control' | 'manifest' | 'labels' | 'plainBytes'>>;
}

function makeIntake(inputs: CopyInputs, pack: Packer, options: CopyOptions): Intake {
  const { repository, backup, list, name, dataDirectoryMode } = inputs;
  const { signal, report } = options;
  const { estimatedBytes } = backup.start;
  const held = new Map<string, { member: SourceMember; bytes: Uint8Array }>();
  let manifest: Receipt | undefined;
  let plainBytes = 0;

  const hold = async (member: SourceMember, body: ByteSource): Promise<void> => {
    const bytes = await collect(owned(body), { maxBytes: SMALL_FILE_BYTES_MAX, what: member.path });
    held.set(member.path, { member, bytes });
  };
  const store = async (member: SourceMember, body: ByteSource): Promise<void> => {
    if (member.rawPath === undefined) {
      await list.add({ name: tarNameOf(member), modified: member.modified });
    } else {
      report({
        kind: 'warning',
        code: 'name-not-utf8',
        text: `the name of ${member.path} is not UTF-8: tsbk restores it, wal-g does not`,
      });
    }
    await pack.add(member, body);
  };
  return {
    root: async () => {
      const root = rootMember(dataDirectoryMode);
      await list.add({ name: '/', modified: root.modified });
      await pack.add(root, sourceOf());
    },
    take: async (item) => {
      if (item.kind === 'manifest') {
        const object = { key: manifestKey(name), source: item.body };
        manifest = await createObject(repository, object, { signal });
        return;
      }
      const { member, body } = item;
      if (roleOf(member) === 'data') await store(member, body);
      else await hold(member, body);
      plainBytes += member.bytes;
      report({ kind: 'progress', phase: 'copy', bytes: plainBytes, totalBytes: estimatedBytes });
    },
    finish: async () => {
      const control = held.get('global/pg_control');
      const label = held.get('backup_label');
      if (control === undefined) throw incomplete('global/pg_control');
      if (label === undefined) throw incomplete('backup_label');
      if (manifest === undefined) throw incomplete('backup_manifest');
      const tablespaceMap = held.get('tablespace_map')?.bytes ?? new Uint8Array(0);
      return {
        control: await storeControl(repository, { name, ...control }, { signal }),
        manifest,
        labels: { label: label.bytes, tablespaceMap, mode: label.member.mode & 0o777 },
        plainBytes,
      };
    },
  };
}

/** PostgreSQL's stream has no entry for the data directory itself; WAL-G's tars have `/`. */
function rootMember(mode: number): SourceMember {
  const modified = toInstant(0n);
  return { kind: 'directory', path: '', bytes: 0, mode, modified, uid: 0, gid: 0 };
}

function incomplete(what: string): TsbkError {
  return new TsbkError('protocol-violation', `the server's backup stream had no ${what}`, {
    hint: 'Connect directly to PostgreSQL, not through a pooler.',
  });
}
