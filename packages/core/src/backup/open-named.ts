import { TsbkError } from '../kernel/errors.ts';
import { deltaBackupName, fullBackupName } from '../kernel/backup-name.ts';
import { formatSegment, segmentNumberAt } from '../kernel/wal-file.ts';
import type { BackupServer } from '../ports/backup-server.ts';
import type { BackupSource, OpenBackup } from '../ports/backup-source.ts';
import type { Report } from '../ports/report.ts';
import type { ProcessMark } from '../repository/claim-record.ts';
import type { Repository } from '../repository/repository.ts';
import { describeHolder, holdName } from '../repository/new-backup/hold-name.ts';
import type { DeltaWish } from './decide-delta.ts';
import { openDelta } from './open-delta.ts';
import type { Delta } from './parent.ts';

/** A backup under way whose name this run holds. */
export interface NamedBackup extends AsyncDisposable {
  readonly name: string;
  readonly backup: OpenBackup;
  readonly delta: Delta | undefined;
  /** Why it is full, or why the changes come from where they do: a clause for people. */
  readonly reason: string;
}

interface NamedRequest extends DeltaWish {
  readonly runId: string;
  readonly hostname: string;
  readonly process?: ProcessMark | undefined;
  readonly label: string;
  readonly checkpoint: 'fast' | 'spread';
  readonly verifyChecksums: boolean;
  readonly maxRateBytes?: number | undefined;
}

/** Each collision takes another backup that begins in the same moment. */
const ATTEMPTS = 3;

/**
 * Starts the backup and claims the name that follows from its start segment. Where that name is
 * taken, a primary is asked again: it begins each backup in a new segment by itself. A standby, whose
 * start point moves only with its restartpoints, is told so (`backup-exists`).
 */
export async function openNamed(
  inputs: {
    readonly repository: Repository;
    readonly source: BackupSource;
    readonly server: BackupServer;
  },
  request: NamedRequest,
  { signal, report }: { readonly signal: AbortSignal; readonly report: Report },
): Promise<NamedBackup> {
  const { repository, source, server } = inputs;
  for (let attempt = 1; ; attempt += 1) {
    report({ kind: 'phase', phase: 'start', text: 'starting the backup (checkpoint)' });
    const opened = await openDelta({ repository, source }, request, { signal, report });
    const { backup, delta } = opened;
    let held = false;
    try {
      const { timeline, startLsn } = backup.start;
      const { segmentBytes } = server.identity;
      const number = segmentNumberAt(startLsn, segmentBytes);
      const segment = formatSegment({ timeline, number }, segmentBytes);
      const { text: name } =
        delta === undefined
          ? fullBackupName(segment)
          : deltaBackupName(segment, delta.parent.segment);
      const { runId: run, hostname: host, process } = request;
      held = await holdName(repository, name, { claimant: { run, host, process }, signal });
      if (held) {
        return { ...opened, name, [Symbol.asyncDispose]: () => backup[Symbol.asyncDispose]() };
      }
      const holder = await describeHolder(repository, name, { signal });
      report({ kind: 'info', text: `${name} is taken already: ${holder}` });
      if (attempt === ATTEMPTS || server.identity.inRecovery) throw taken(name, holder, server);
    } finally {
      if (!held) await backup[Symbol.asyncDispose]();
    }
  }
}

function taken(name: string, holder: string, server: BackupServer): TsbkError {
  return new TsbkError(
    'backup-exists',
    `a backup that starts in this segment is there already (${name}): ${holder}`,
    {
      hint: server.identity.inRecovery
        ? 'On a standby the start point moves only with restartpoints: run CHECKPOINT on the primary, let the standby replay it, then try again. `tsbk st claims` shows an unfinished one.'
        : 'Try again if many backups begin at this moment. If not, this is an older copy of the server whose later backups are there: give it a prefix of its own. `tsbk st claims` shows unfinished ones.',
    },
  );
}
