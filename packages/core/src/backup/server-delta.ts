import { amendManifest } from '../format/amend-manifest.ts';
import { parseBackupLabel, withoutParent } from '../format/backup-label.ts';
import { incrementalTarget } from '../format/increment/pg-incremental.ts';
import { TsbkError } from '../kernel/errors.ts';
import { formatLsn } from '../kernel/lsn.ts';
import { IncrementsSent } from './increments-sent.ts';
import { wholeMember, type MemberFilter } from './member-filter.ts';
import type { ParentBackup } from './parent.ts';
import { transcodeIncrement } from './transcode-increment.ts';

/**
 * A backup that the server itself made incremental. Its increments become WAL-G's, held against the
 * checksums of its manifest; the label loses the lines that name the parent, and the manifest gets the
 * line of the label as it is stored then.
 */
export function serverDelta(parent: ParentBackup, what: string): MemberFilter {
  const sent = new IncrementsSent();
  const stored = (label: Uint8Array): Uint8Array => {
    requireParent(label, parent);
    return withoutParent(label);
  };
  return {
    take: async (member, body) => {
      const path = member.kind === 'file' ? incrementalTarget(member.path) : undefined;
      if (path === undefined) return wholeMember(member, body);
      return await transcodeIncrement(member, sent.summing(member.path, body), path);
    },
    label: stored,
    manifest: (manifest, label) =>
      amendManifest(sent.checking(what)(manifest), {
        path: 'backup_label',
        content: stored(label),
      }),
  };
}

/** A session that was given two manifests builds on one of them silently. */
function requireParent(label: Uint8Array, { name, startLsn, timeline }: ParentBackup): void {
  const from = parseBackupLabel(label).incrementalFrom;
  if (from?.lsn === startLsn && from.timeline === timeline) return;
  const built = from === undefined ? 'none' : `${formatLsn(from.lsn)} on timeline ${from.timeline}`;
  throw new TsbkError(
    'protocol-violation',
    `the server was given ${name} as parent, ${formatLsn(startLsn)} on timeline ${timeline}, and built on ${built}`,
    { hint: 'Connect directly to PostgreSQL, not through a pooler.' },
  );
}
