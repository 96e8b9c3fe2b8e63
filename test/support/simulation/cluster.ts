import { formatManifest } from '@tsbk/core/format/format-manifest';
import { crc32c, crc32cHex } from '@tsbk/core/format/crc32c';
import type { ManifestFile } from '@tsbk/core/format/manifest';
import { instantFromMs } from '@tsbk/core/kernel/instant';
import { formatLsn, type Lsn } from '@tsbk/core/kernel/lsn';
import { toSystemId } from '@tsbk/core/kernel/system-id';
import { formatSegment, segmentNumberAt } from '@tsbk/core/kernel/wal-file';
import type { BackupItem, BackupSource, SourceMember } from '@tsbk/core/ports/backup-source';
import type { ByteSource } from '@tsbk/core/ports/bytes';
import { sourceOf } from '@tsbk/core/stream/source';
import { FAKE_SYSTEM_ID, fakeControlFile } from '../fake-repository.ts';
import { samplePool, type SamplePool } from './sample-pool.ts';

export interface SimulatedClusterOptions {
  readonly files: number;
  /** Of all files together. */
  readonly bytes: number;
  readonly startLsn: Lsn;
  readonly stopLsn: Lsn;
  readonly segmentBytes: number;
}

/** A data directory that takes no disk: what is in a file follows from its number. */
export interface SimulatedCluster extends BackupSource {
  /** A member by its name in a tar, `/base/16384/20000`. */
  member(tarName: string): SourceMember;
  /** The number in the name of a data file, `undefined` for all other members. */
  numberOf(tarName: string): number | undefined;
  /** A data file by its number. */
  file(number: number): SourceMember;
  body(member: SourceMember): ByteSource;
}

const FILES_IN_DATABASE = 1000;
const FIRST_DATABASE = 16_384;
const FIRST_FILE = 100_000;
/** Files of one size whose contents differ; their checksums are worked out once. */
const VARIANTS = 8;
const CHUNK_BYTES = 256 * 1024;
const MODIFIED = instantFromMs(Date.UTC(2026, 0, 1));

export function simulatedCluster(options: SimulatedClusterOptions): SimulatedCluster {
  const small = smallFiles(options);
  const fileBytes = Math.floor(options.bytes / options.files);
  let pool: SamplePool | undefined;
  const sums = new Map<number, string>();

  const file = (number: number): SourceMember => {
    const database = FIRST_DATABASE + Math.floor(number / FILES_IN_DATABASE);
    return member('file', `base/${database}/${FIRST_FILE + number}`, fileBytes);
  };
  const numberOf = (tarName: string): number | undefined => {
    const digits = /^\/base\/\d+\/(\d+)$/.exec(tarName)?.[1];
    return digits === undefined ? undefined : Number(digits) - FIRST_FILE;
  };
  async function* body({ path, bytes }: SourceMember): ByteSource {
    const content = small.get(path);
    if (content !== undefined) return yield* sourceOf(content);
    const variant = (numberOf(`/${path}`) ?? 0) % VARIANTS;
    for (let at = 0, turn = variant; at < bytes; at += CHUNK_BYTES, turn += 1) {
      pool ??= samplePool();
      yield pool.chunk(turn, Math.min(CHUNK_BYTES, bytes - at));
    }
  }
  const checksum = async (number: number): Promise<string> => {
    let crc = 0;
    for await (const chunk of body(file(number))) crc = crc32c(chunk, crc);
    return crc32cHex(crc);
  };
  async function* items(): AsyncGenerator<BackupItem> {
    for (const path of ['base', 'global', 'pg_wal']) yield item(member('directory', path, 0));
    for (let number = 0; number < options.files; number += 1) {
      const database = FIRST_DATABASE + number / FILES_IN_DATABASE;
      if (Number.isInteger(database)) yield item(member('directory', `base/${database}`, 0));
      yield item(file(number));
    }
    for (const [path, content] of small) yield item(member('file', path, content.length));
    for (let number = 0; number < Math.min(VARIANTS, options.files); number += 1) {
      sums.set(number, await checksum(number));
    }
    yield { kind: 'manifest', body: manifest() };
  }
  const item = (of: SourceMember): BackupItem => ({ kind: 'member', member: of, body: body(of) });

  function* manifestFiles(): Generator<ManifestFile> {
    for (const [path, content] of small) {
      yield manifestFile(path, content.length, crc32cHex(crc32c(content)));
    }
    for (let number = 0; number < options.files; number += 1) {
      yield manifestFile(file(number).path, fileBytes, sums.get(number % VARIANTS) ?? '');
    }
  }
  const manifest = (): ByteSource => {
    const { startLsn, stopLsn: endLsn } = options;
    const systemId = toSystemId(String(FAKE_SYSTEM_ID));
    const walRanges = [{ timeline: 1, startLsn, endLsn }];
    return formatManifest({ systemId, files: manifestFiles(), walRanges });
  };
  return {
    file,
    numberOf,
    body,
    member: (tarName) => {
      const path = tarName.slice(1);
      const content = small.get(path);
      if (content !== undefined) return member('file', path, content.length);
      const number = numberOf(tarName);
      return number === undefined ? member('directory', path, 0) : file(number);
    },
    open: async () => ({
      kind: 'stream',
      start: {
        startLsn: options.startLsn,
        timeline: 1,
        tablespaces: [],
        estimatedBytes: fileBytes * options.files,
      },
      items,
      end: async () => ({ stopLsn: options.stopLsn, timeline: 1 }),
      [Symbol.asyncDispose]: async () => {},
    }),
  };
}

function member(kind: 'file' | 'directory', path: string, bytes: number): SourceMember {
  const mode = kind === 'file' ? 0o600 : 0o700;
  return { kind, path, bytes, mode, modified: MODIFIED, uid: 1000, gid: 1000 };
}

function manifestFile(path: string, bytes: number, checksum: string): ManifestFile {
  return { path, bytes, modified: MODIFIED, checksumAlgorithm: 'CRC32C', checksum };
}

/** The files that every restore needs, `pg_control` last as the server sends it. */
function smallFiles({ startLsn, segmentBytes }: SimulatedClusterOptions): Map<string, Uint8Array> {
  const number = segmentNumberAt(startLsn, segmentBytes);
  const segment = formatSegment({ timeline: 1, number }, segmentBytes);
  const label = [
    `START WAL LOCATION: ${formatLsn(startLsn)} (file ${segment})`,
    `CHECKPOINT LOCATION: ${formatLsn(startLsn)}`,
    'BACKUP METHOD: streamed',
    'BACKUP FROM: primary',
    'START TIME: 2026-01-01 00:00:00 UTC',
    'LABEL: simulated',
    'START TIMELINE: 1',
    '',
  ].join('\n');
  return new Map([
    ['PG_VERSION', Buffer.from('17\n')],
    ['backup_label', Buffer.from(label)],
    ['tablespace_map', Buffer.alloc(0)],
    ['global/pg_control', fakeControlFile()],
  ]);
}
