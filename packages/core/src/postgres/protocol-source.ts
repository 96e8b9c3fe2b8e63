import { readTar, type TarEntry } from '../format/tar/read.ts';
import { isRootName, safeMemberPath, safeRawMemberPath } from '../format/tar/safe-path.ts';
import { TsbkError } from '../kernel/errors.ts';
import type {
  BackupItem,
  BackupRequest,
  BackupSource,
  SourceMember,
  StreamBackup,
  Tablespace,
} from '../ports/backup-source.ts';
import type { Report } from '../ports/report.ts';
import { runBaseBackup, type BaseBackup } from './base-backup.ts';
import type { ConnectionSettings } from './connection-settings.ts';
import { asRefusal } from './incremental-refusal.ts';
import { openReplicationSession, type ReplicationSession } from './replication-session.ts';
import { uploadManifest } from './upload-manifest.ts';

/**
 * Base backups by the replication protocol, from the server that `settings` lead to. Each one has
 * a session of its own, which its disposal closes.
 */
export function protocolSource(
  settings: ConnectionSettings,
  report: Report,
): BackupSource<StreamBackup> {
  return {
    open: async (request: BackupRequest, { signal }): Promise<StreamBackup> => {
      const session = await openReplicationSession(settings, { signal });
      try {
        const backup = await begin(session, request, report);
        return {
          kind: 'stream',
          start: backup.start,
          items: () => itemsOf(backup),
          end: () => backup.end(),
          [Symbol.asyncDispose]: () => session.close(),
        };
      } catch (error) {
        await session.close();
        throw error;
      }
    },
  };
}

/** After any refusal the session must go: a manifest that it took before would still count. */
async function begin(
  session: ReplicationSession,
  request: BackupRequest,
  report: Report,
): Promise<BaseBackup> {
  const { sinceManifest } = request;
  if (sinceManifest === undefined) return await runBaseBackup(session, request, report);
  await uploadManifest(session, sinceManifest);
  try {
    return await runBaseBackup(session, request, report);
  } catch (error) {
    throw asRefusal(error);
  }
}

async function* itemsOf(backup: BaseBackup): AsyncGenerator<BackupItem, void, undefined> {
  for await (const archive of backup.archives()) {
    if (archive.kind === 'manifest') {
      yield { kind: 'manifest', body: archive.body };
      continue;
    }
    const what = archive.tablespace === undefined ? 'base' : `tablespace ${archive.tablespace.oid}`;
    for await (const entry of readTar(archive.body, {
      what: `archive of ${what} from BASE_BACKUP`,
    })) {
      if (isRootName(entry.header.name)) continue;
      yield { kind: 'member', member: memberOf(entry, archive.tablespace), body: entry.body };
    }
  }
}

/** Names get the shape of the port, and those of a tablespace their place below the data directory. */
function memberOf({ header }: TarEntry, tablespace: Tablespace | undefined): SourceMember {
  const { kind, linkName, rawName } = header;
  if (kind === 'other') {
    throw new TsbkError(
      'tar-invalid',
      `BASE_BACKUP sent ${JSON.stringify(header.name)} as type ${JSON.stringify(header.typeflag)}`,
      {
        hint: 'No PostgreSQL server sends anything but files, directories and symbolic links.',
      },
    );
  }
  const folder = tablespace === undefined ? '' : `pg_tblspc/${tablespace.oid}/`;
  return {
    kind,
    path: folder + safeMemberPath(header.name),
    ...(rawName === undefined
      ? {}
      : { rawPath: Buffer.concat([Buffer.from(folder), safeRawMemberPath(rawName)]) }),
    bytes: header.bytes,
    mode: header.mode,
    modified: header.modified,
    uid: header.uid,
    gid: header.gid,
    ...(linkName === undefined ? {} : { linkTarget: linkName }),
  };
}
