import type { Instant } from '../kernel/instant.ts';
import { TsbkError } from '../kernel/errors.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { DamagedPages, FilesBatch, ReadMember } from '../ports/files.ts';
import type { Report } from '../ports/report.ts';
import type { FileList, TarNames } from '../repository/file-list.ts';
import type { Spool } from '../stream/spool.ts';
import type { LabelFiles } from '../repository/new-backup/store-labels.ts';
import { manifestLines } from './manifest-lines.ts';
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
  /** Payload bytes of the tars. */
  bytes(): number;
  /** Lengths of all files, whatever of them is in the tars. */
  fileBytes(): number;
}

interface RecordsOptions {
  readonly list: FileList;
  readonly spool: Spool;
  readonly report: Report;
}

/** Damaged files whose blocks the error names; the warnings name all. */
const NAMED_MAX = 20;
const DAMAGED_MAX = 1000;

/** Records for `list`, for the manifest and for people. */
export function fileRecords({ list, spool, report }: RecordsOptions): FileRecords {
  const lines = manifestLines(spool);
  const damaged: DamagedPages[] = [];
  let pending: Promise<void> = Promise.resolve();
  let readBytes = 0;
  let payloadBytes = 0;
  let fileBytes = 0;
  let totalBytes: number | undefined;

  const addSmall = async (file: Parameters<typeof lines.addSmall>[0]): Promise<void> => {
    payloadBytes += file.bytes.length;
    fileBytes += file.bytes.length;
    await lines.addSmall(file);
  };
  const record = async (member: ReadMember, names: TarNames): Promise<void> => {
    const { path, rawPath } = pathOf(member.path);
    const { modified } = member;
    const content = member.content === 'whole' ? undefined : member.content;
    if (rawPath === undefined) await list.add({ name: `/${path}`, modified, content });
    else reportName(path, report);
    if (member.contradicts === true) reportContradiction(path, report);
    if (content !== 'skipped') {
      await names.add(`/${path}`);
      payloadBytes += member.bytes;
    }
    fileBytes += member.fileBytes;
    if (member.kind === 'file') await lines.add(member);
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
    control: ({ member: { path, modified }, bytes }) => addSmall({ path, bytes, modified }),
    labels: async ({ label, tablespaceMap }, modified) => {
      await addSmall({ path: 'backup_label', bytes: label, modified });
      await addSmall({ path: 'tablespace_map', bytes: tablespaceMap, modified });
    },
    manifestLines: () => lines.read(),
    bytes: () => payloadBytes,
    fileBytes: () => fileBytes,
  };
}

function reportName(path: string, report: Report): void {
  report({
    kind: 'warning',
    code: 'name-not-utf8',
    text: `the name of ${path} is not UTF-8: tsbk restores it, wal-g does not`,
  });
}

function reportContradiction(path: string, report: Report): void {
  report({
    kind: 'warning',
    code: 'mtime-lies',
    text: `${path} has another content than in the parent backup and the same time of its last change: it is stored whole. Find out what changes files without changing their times, or damages them`,
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
