import { formatLsn } from '../kernel/lsn.ts';
import type { NamedBackup } from './open-named.ts';
import type { Delta, DeltaSource } from './parent.ts';

/** Where a delta that was taken stands. */
export interface PushedDelta {
  readonly parent: string;
  readonly full: string;
  /** 1 for the first delta after a full backup. */
  readonly count: number;
  readonly source: DeltaSource;
}

/** The same of a delta under way. */
export function pushedDelta({ parent, source }: Delta): PushedDelta {
  const { from, fullName, count } = parent.link;
  return { parent: from, full: fullName, count, source };
}

/** What is about to be copied, and how: a clause for people. */
export function describeCopy({ name, backup, delta, reason }: NamedBackup): string {
  const way = backup.kind === 'files' ? `reading ${backup.directory}` : 'streamed by the server';
  const what =
    delta === undefined
      ? `a full backup (${reason})`
      : `a delta on ${delta.parent.name}, ${describeSource(delta.source)} (${reason})`;
  return `copying ${name} as ${what}, from ${formatLsn(backup.start.startLsn)}, ${way}`;
}

/** How the changes are found: completes "a delta, …". */
export function describeSource(source: DeltaSource): string {
  switch (source) {
    case 'server':
      return 'changes named by the server';
    case 'stream':
      return 'changes found in the stream';
    case 'files':
      return 'changes found in the files';
    case 'summaries':
      return 'changes named by WAL summaries';
  }
}
