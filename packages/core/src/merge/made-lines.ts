import { lineSeparator } from '../format/format-manifest.ts';
import { manifestLineOf } from '../format/manifest-line.ts';
import type { SourceMember } from '../ports/backup-source.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { FileSum } from '../ports/extract.ts';
import type { Spool } from '../stream/spool.ts';

/** The files of a manifest that WAL-G's backups lack, gathered while they pass. */
export interface MadeLines {
  /** `checksum` is a CRC-32C. A call begins when the one before has settled. */
  add(member: SourceMember, sum: FileSum): Promise<void>;
  /** See `frameManifest`. */
  read(): ByteSource;
}

/** No lines yet; they lie in `spool`. */
export function madeLines(spool: Spool): MadeLines {
  const text = spool.text();
  let count = 0;
  return {
    add: async ({ path, rawPath, modified }, sum) => {
      const name = rawPath === undefined ? { path } : { path, rawPath };
      const file = { ...name, modified, ...sum, checksumAlgorithm: 'CRC32C' } as const;
      const line = lineSeparator(count) + manifestLineOf(file);
      count += 1;
      await text.append(line);
    },
    read: () => text.read(),
  };
}
