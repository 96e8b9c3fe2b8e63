import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { crc32c } from '@tsbk/core/format/crc32c';
import { stringifyJson, type JsonObject } from '@tsbk/core/format/json';
import type { FakeWal } from '@tsbk/core/format/wal/fake-wal';
import { encodeHeader } from '@tsbk/core/format/tar/encode-header';
import { endOfArchive, padding, type TarMember } from '@tsbk/core/format/tar/write';
import { formatInstant, toInstant, type Instant } from '@tsbk/core/kernel/instant';
import { formatLsn, type Lsn } from '@tsbk/core/kernel/lsn';
import { formatSegment, segmentNumberAt } from '@tsbk/core/kernel/wal-file';
import type { Repository } from '@tsbk/core/repository/repository';
import { openDirectory } from './walg-cases.ts';

/** A member of a tar: a file unless it ends in `/` or has a link's target. */
export interface FakeMember {
  readonly name: string | Uint8Array;
  readonly content?: string | Uint8Array;
  readonly mode?: number;
  readonly linkTo?: string;
}

export interface FakeBackup {
  /** Instead of the name of a full backup. */
  readonly name?: string;
  readonly startLsn: Lsn;
  readonly stopLsn: Lsn;
  readonly startTime: Instant;
  readonly finishTime: Instant;
  readonly timeline?: number;
  /** Tars by name; those with `pg_control` and the label are added unless given. */
  readonly tars?: Readonly<Record<string, readonly FakeMember[]>>;
  /** Over what a sentinel has. */
  readonly sentinel?: JsonObject;
  /** `files_metadata.json`; absent if not given. */
  readonly filesMetadata?: JsonObject;
}

export const FAKE_SYSTEM_ID = 7_000_000_000_000_000_001n;
const SEGMENT_BYTES = 1024 * 1024;

/**
 * A repository in a directory, made by hand: what no tool would write is one call away. Nothing in
 * it is compressed. Backups have PostgreSQL's small files and no data: no server starts on them.
 */
export interface FakeRepository {
  readonly root: string;
  open(): Promise<Repository>;
  /** Archives the segments of this WAL, all or those that `keep` wants. */
  archive(wal: FakeWal, keep?: (name: string) => boolean): void;
  put(key: string, content: string | Uint8Array): void;
  remove(key: string): void;
  /** Adds a backup and gives its name. */
  backup(backup: FakeBackup): string;
}

export function fakeRepository(root: string): FakeRepository {
  const put = (key: string, content: string | Uint8Array): void => {
    const path = join(root, key);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  };
  for (const folder of ['basebackups_005', 'wal_005'])
    mkdirSync(join(root, folder), { recursive: true });
  return {
    root,
    put,
    open: () => openDirectory(root),
    remove: (key) => rmSync(join(root, key)),
    archive: (wal, keep = () => true) => {
      for (const [name, bytes] of wal.segments()) if (keep(name)) put(`wal_005/${name}`, bytes);
    },
    backup: (backup) => {
      const { timeline = 1, startLsn } = backup;
      const number = segmentNumberAt(startLsn, SEGMENT_BYTES);
      const full = `base_${formatSegment({ timeline, number }, SEGMENT_BYTES)}`;
      const name = backup.name ?? full;
      const folder = `basebackups_005/${name}`;
      const tars = {
        'part_001.tar': [{ name: '/PG_VERSION', content: '17\n' }],
        'pg_control.tar': [{ name: '/global/pg_control', content: fakeControlFile() }],
        'backup_label.tar': [
          { name: 'backup_label', content: fakeLabel(backup) },
          { name: 'tablespace_map', content: '' },
        ],
        ...backup.tars,
      };
      for (const [tar, members] of Object.entries(tars)) {
        put(`${folder}/tar_partitions/${tar}`, fakeTar(members));
      }
      if (backup.filesMetadata !== undefined) {
        put(`${folder}/files_metadata.json`, stringifyJson(backup.filesMetadata));
      }
      put(`${folder}_backup_stop_sentinel.json`, stringifyJson(sentinelOf(backup)));
      return name;
    },
  };
}

/** A tar archive, ended as it should be. */
export function fakeTar(members: readonly FakeMember[]): Uint8Array {
  const blocks = members.flatMap((member) => {
    const content = Buffer.from(member.content ?? '');
    return [encodeHeader(headerOf(member, content.length)), content, padding(content.length)];
  });
  return Buffer.concat([...blocks, endOfArchive()]);
}

/** `pg_control` of PostgreSQL 17, as far as it is read. */
export function fakeControlFile(systemId = FAKE_SYSTEM_ID): Uint8Array {
  const bytes = Buffer.alloc(8192);
  bytes.writeBigUInt64LE(systemId, 0);
  bytes.writeUInt32LE(1700, 8);
  bytes.writeUInt32LE(1, 48);
  bytes.writeUInt32LE(SEGMENT_BYTES, 228);
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, 288)), 288);
  return bytes;
}

export function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function headerOf({ name, mode, linkTo }: FakeMember, bytes: number): TarMember {
  const text = typeof name === 'string' ? name : Buffer.from(name).toString();
  const isDirectory = text.endsWith('/');
  return {
    kind: linkTo === undefined ? (isDirectory ? 'directory' : 'file') : 'symlink',
    name: text,
    ...(typeof name === 'string' ? {} : { rawName: name }),
    ...(linkTo === undefined ? {} : { linkName: linkTo }),
    bytes,
    mode: mode ?? (isDirectory ? 0o700 : 0o600),
    uid: 0,
    gid: 0,
    modified: toInstant(0n),
  };
}

function fakeLabel({ startLsn, timeline = 1 }: FakeBackup): string {
  const number = segmentNumberAt(startLsn, SEGMENT_BYTES);
  const segment = formatSegment({ timeline, number }, SEGMENT_BYTES);
  return [
    `START WAL LOCATION: ${formatLsn(startLsn)} (file ${segment})`,
    `CHECKPOINT LOCATION: ${formatLsn(startLsn)}`,
    'BACKUP METHOD: streamed',
    'BACKUP FROM: primary',
    'START TIME: 2026-11-22 10:00:00 UTC',
    'LABEL: fake',
    `START TIMELINE: ${timeline}`,
    '',
  ].join('\n');
}

function sentinelOf(backup: FakeBackup): JsonObject {
  return {
    LSN: backup.startLsn,
    FinishLSN: backup.stopLsn,
    PgVersion: 170_005,
    SystemIdentifier: FAKE_SYSTEM_ID,
    UncompressedSize: 10_000,
    Version: 2,
    StartTime: formatInstant(backup.startTime),
    FinishTime: formatInstant(backup.finishTime),
    ...backup.sentinel,
  };
}
