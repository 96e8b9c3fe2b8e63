import { toInstant } from '../../kernel/instant.ts';
import type { SourceMember } from '../../ports/backup-source.ts';
import type { TarMember } from '../../format/tar/write.ts';

/**
 * The canonical shape: whatever the source, tsbk writes what WAL-G writes for a local backup. Names
 * begin with a slash, directories do not end in one; `pg_control` and the label files lie in tars
 * of their own.
 */
export type MemberRole = 'data' | 'control' | 'label' | 'tablespace-map';

/** Where a member belongs. */
export function roleOf(member: SourceMember): MemberRole {
  if (member.kind !== 'file') return 'data';
  if (member.path === 'global/pg_control') return 'control';
  if (member.path === 'backup_label') return 'label';
  if (member.path === 'tablespace_map') return 'tablespace-map';
  return 'data';
}

/** The member's name in the tar and in `files_metadata.json`. */
export function tarNameOf(member: SourceMember): string {
  return `/${member.path}`;
}

/** The tar header of a data member. */
export function tarHeaderOf(member: SourceMember): TarMember {
  const { kind, bytes, mode, uid, gid, modified, rawPath, linkTarget } = member;
  return {
    kind,
    name: tarNameOf(member),
    ...(rawPath === undefined ? {} : { rawName: Buffer.concat([Buffer.from('/'), rawPath]) }),
    bytes: kind === 'file' ? bytes : 0,
    mode,
    uid,
    gid,
    modified,
    ...(linkTarget === undefined ? {} : { linkName: linkTarget }),
  };
}

/** Header of `backup_label` and `tablespace_map`: bare names, no owner, time zero. */
export function labelHeader(name: string, bytes: number, mode: number): TarMember {
  return {
    kind: 'file',
    name,
    bytes,
    mode,
    uid: 0,
    gid: 0,
    modified: toInstant(0n),
  };
}
