import type { StreamBackup } from '../ports/backup-source.ts';
import type { Lanes } from '../ports/lanes.ts';
import type { Report } from '../ports/report.ts';
import type { FileList } from '../repository/file-list.ts';
import { manifestKey } from '../repository/layout.ts';
import type { Repository } from '../repository/repository.ts';
import { heldBytes, type HeldBytes } from '../stream/held-bytes.ts';
import { bothOf } from '../stream/parallel.ts';
import type { Spool } from '../stream/spool.ts';
import type { CopiedBackup } from './copied-backup.ts';
import { wholeFiles, type MemberFilter } from './member-filter.ts';
import { incomplete, MemberIntake } from './member-intake.ts';
import { packer } from '../repository/new-backup/pack.ts';
import { pageDelta } from './page-delta.ts';
import type { Delta } from './parent.ts';
import { serverDelta } from './server-delta.ts';

interface CopyInputs {
  readonly repository: Repository;
  readonly lanes: Lanes;
  readonly backup: StreamBackup;
  /** Where the members are listed. */
  readonly list: FileList;
  readonly name: string;
  readonly dataDirectoryMode: number;
  readonly delta: Delta | undefined;
  readonly spool: Spool;
}

interface CopyOptions {
  readonly partBytesMax: number;
  /** Where changed pages go that do not fit into memory. */
  readonly scratchDirectory: string;
  readonly signal: AbortSignal;
  readonly report: Report;
}

/**
 * Drains a backup stream into parts. `pg_control` and the label files are held back for tars of
 * their own; the manifest becomes a side object. Then hears the server's last word.
 */
export async function copyMembers(inputs: CopyInputs, options: CopyOptions): Promise<CopiedBackup> {
  const { backup, lanes, list, name } = inputs;
  const { signal } = options;
  const { estimatedBytes, tablespaces } = backup.start;
  const pack = packer({ backup: name, lanes, list, ...options });
  await using held = heldBytes({ directory: options.scratchDirectory });
  const filter = filterOf(inputs, held);
  const intake = new MemberIntake({ ...inputs, estimatedBytes, filter, pack }, options);
  try {
    await intake.root();
    for await (const item of backup.items()) {
      signal.throwIfAborted();
      if (item.kind === 'member') {
        await intake.take(item);
        continue;
      }
      // The manifest is the last thing to come, so the parts have all of theirs.
      const [parts, copied] = await bothOf(
        () => pack.finish(),
        (both) => intake.finish(item.body, { signal: both }),
        { signal },
      );
      return { parts, tablespaces, ...copied, ...(await backup.end()) };
    }
    throw incomplete('backup_manifest');
  } catch (error) {
    await pack.fail(error);
    throw error;
  }
}

function filterOf({ delta, name, spool }: CopyInputs, held: HeldBytes): MemberFilter {
  if (delta === undefined) return wholeFiles;
  const { parent, source, known } = delta;
  const what = manifestKey(name);
  if (source === 'server') return serverDelta(parent, what);
  if (source === 'stream' && known !== undefined) {
    return pageDelta({ base: parent.startLsn, known, held, spool, what });
  }
  throw new TypeError(`a delta by ${source} is not one of a stream`);
}
