import type { SourceMember } from '../ports/backup-source.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { ListedFile } from '../repository/file-list.ts';

/** What is stored of a member of a stream: all of it, only what changed, or nothing. */
export interface StoredMember {
  /** Its `bytes` are those of `body`. */
  readonly member: SourceMember;
  /** What goes into the tar; read to its end before the next member. Nothing if `skipped`. */
  readonly body: ByteSource;
  readonly content: ListedFile['content'];
  /** Bytes of the whole file. */
  readonly fileBytes: number;
}

/** What a backup makes of what a server sends before it is stored. Serves one backup. */
export interface MemberFilter {
  /** A data member, in the order in which they come. */
  take(member: SourceMember, body: ByteSource): Promise<StoredMember>;
  /** `backup_label` as it is stored. */
  label(label: Uint8Array): Uint8Array;
  /** The manifest as it is stored; it comes after all members. */
  manifest(manifest: ByteSource, label: Uint8Array): ByteSource;
}

/** A member that is stored as it is. */
export function wholeMember(member: SourceMember, body: ByteSource): StoredMember {
  return { member, body, content: undefined, fileBytes: member.bytes };
}

/** For a full backup: everything as it comes. */
export const wholeFiles: MemberFilter = {
  take: async (member, body) => wholeMember(member, body),
  label: (label) => label,
  manifest: (manifest) => manifest,
};
