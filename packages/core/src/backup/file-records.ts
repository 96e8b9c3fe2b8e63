import { crc32c, crc32cHex } from '../format/crc32c.ts';
import { lineSeparator } from '../format/format-manifest.ts';
import { manifestLineOf } from '../format/manifest-line.ts';
import type { Instant } from '../kernel/instant.ts';
import { TsbkError } from '../kernel/errors.ts';
import type { SourceMember } from '../ports/backup-source.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { DamagedPages, FilesBatch, ReadMember } from '../ports/files.ts';
import type { Report } from '../ports/report.ts';
import type { FileList, TarNames } from '../repository/file-list.ts';
import type { Spool } from '../stream/spool.ts';
import type { LabelFiles } from './copied-backup.ts';
import type { ControlCopy } from './read-control-file.ts';
import { pathOf } from './source-member.ts';

/** What is recorded of the files of a backup that the lanes read. */
export interface FileRecords {
  /** How much there will be to read, for progress. */
  expect(bytes: number): void;
  /** Takes what a lane tells of one tar, whose names go into `names`. */
  intake(names: TarNames): (batch: FilesBatch) => void;
  /** Waits until all that was taken is recorded. Throws what the spool throws. */
  settled(): Promise<void>;
  /** Throws `page-checksum` if a page was wrong. */
  requireSound(): void;
  control(copy: ControlCopy): Promise<void>;
  labels(labels: LabelFiles, written: Instant): Promise<void>;
  /** See `frameManifest`. */
  manifestLines(): ByteSource;
  /** Payload bytes of all files. */
  bytes(): number;
}

interface RecordsOptions {
  readonly list: FileList;
  readonly spool: Spool;
  readonly report: Report;
}

/** Damaged files whose blocks the error names; the warnings name all. */
const NAMED_MAX = 20;
const DAMAGED_MAX = 1000;

interface ManifestEntry extends Pick<SourceMember, 'path' | 'rawPath' | 'bytes' | 'modified'> {
  readonly crc: number;
}

/** Records for `list`, for the manifest and for people. */
export function fileRecords({ list, spool, report }: RecordsOptions): FileRecords {
  const lines = spool.text();
  const damaged: DamagedPages[] = [];
  let pending: Promise<void> = Promise.resolve();
  let files = 0;
  let readBytes = 0;
  let payloadBytes = 0;
  let totalBytes: number | undefined;

  const addLine = async ({ crc, ...file }: ManifestEntry): Promise<void> => {
    const sum = { checksumAlgorithm: 'CRC32C', checksum: crc32cHex(crc) } as const;
    const line = lineSeparator(files) + manifestLineOf({ ...file, ...sum });
    files += 1;
    payloadBytes += file.bytes;
    await lines.append(line);
  };
  const record = async (member: ReadMember, names: TarNames): Promise<void> => {
    const { path, rawPath } = pathOf(member.path);
    const { bytes, modified, crc } = member;
    if (rawPath === undefined) await list.add({ name: `/${path}`, modified });
    else reportName(path, report);
    await names.add(`/${path}`);
    if (member.kind === 'file') await addLine({ ...pathOf(member.path), bytes, modified, crc });
  };
  const recordAll = async (members: readonly ReadMember[], names: TarNames): Promise<void> => {
    for (const member of members) await record(member, names);
  };
  return {
    expect: (bytes) => {
      totalBytes = bytes;
    },
    intake: (names) => (batch) => {
      readBytes += batch.bytes;
      report({ kind: 'progress', phase: 'copy', bytes: readBytes, totalBytes });
      for (const damage of batch.damaged) {
        reportDamage(damage, report);
        if (damaged.length < DAMAGED_MAX) damaged.push(damage);
      }
      // The lists are written one call after the other, and faster than files are read.
      pending = pending.then(() => recordAll(batch.members, names));
      pending.catch(() => undefined);
    },
    settled: () => pending,
    requireSound: () => {
      if (damaged.length > 0) throw checksumFailure(damaged);
    },
    control: async ({ member, bytes }) => {
      const { path, modified } = member;
      await addLine({ path, bytes: bytes.length, modified, crc: crc32c(bytes) });
    },
    labels: async ({ label, tablespaceMap }, modified) => {
      for (const [path, bytes] of [
        ['backup_label', label],
        ['tablespace_map', tablespaceMap],
      ] as const) {
        await addLine({ path, bytes: bytes.length, modified, crc: crc32c(bytes) });
      }
    },
    manifestLines: () => lines.read(),
    bytes: () => payloadBytes,
  };
}

function reportName(path: string, report: Report): void {
  report({
    kind: 'warning',
    code: 'name-not-utf8',
    text: `the name of ${path} is not UTF-8: tsbk restores it, wal-g does not`,
  });
}

function reportDamage(damage: DamagedPages, report: Report): void {
  report({
    kind: 'warning',
    code: 'page-checksum',
    text: `checksum verification failed in ${describe(damage)}`,
  });
}

function describe({ path, blocks, count }: DamagedPages): string {
  const rest = count > blocks.length ? ` and ${count - blocks.length} more` : '';
  const which = count === 1 ? 'block' : 'blocks';
  return `${Buffer.from(path, 'latin1').toString()}, ${which} ${blocks.join(', ')}${rest}`;
}

function checksumFailure(damaged: readonly DamagedPages[]): TsbkError {
  const count = damaged.reduce((sum, damage) => sum + damage.count, 0);
  const named = damaged.slice(0, NAMED_MAX).map((damage) => describe(damage));
  const rest = damaged.length > NAMED_MAX ? [`${damaged.length - NAMED_MAX} more files`] : [];
  const pages = count === 1 ? '1 page has a wrong checksum' : `${count} pages have wrong checksums`;
  return new TsbkError('page-checksum', `${pages}: ${[...named, ...rest].join('; ')}`, {
    hint: 'Data on the server is damaged. Keep earlier backups, find the relations by pg_filenode_relation() and repair them or restore. --no-verify takes a backup all the same.',
  });
}
