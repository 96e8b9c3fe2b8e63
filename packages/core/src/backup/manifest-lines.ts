import { crc32c, crc32cHex } from '../format/crc32c.ts';
import { lineSeparator } from '../format/format-manifest.ts';
import { incrementalName } from '../format/increment/pg-incremental.ts';
import { manifestLineOf } from '../format/manifest-line.ts';
import type { SourceMember } from '../ports/backup-source.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { ReadMember } from '../ports/files.ts';
import type { Spool } from '../stream/spool.ts';
import { pathOf } from './source-member.ts';

/** The files of a manifest, gathered while they are read. A call begins when the one before has settled. */
export interface ManifestLines {
  /** A file that a lane has read. */
  add(member: ReadMember): Promise<void>;
  /** One that has a tar of its own. */
  addSmall(file: SmallFile): Promise<void>;
  /** See `frameManifest`. */
  read(): ByteSource;
}

interface SmallFile extends Pick<SourceMember, 'path' | 'modified'> {
  readonly bytes: Uint8Array;
}

interface Entry extends Pick<SourceMember, 'path' | 'rawPath' | 'bytes' | 'modified'> {
  readonly crc: number;
}

/** No lines yet; they lie in `spool`. */
export function manifestLines(spool: Spool): ManifestLines {
  const lines = spool.text();
  let count = 0;
  const append = async ({ crc, ...file }: Entry): Promise<void> => {
    const sum = { checksumAlgorithm: 'CRC32C', checksum: crc32cHex(crc) } as const;
    const line = lineSeparator(count) + manifestLineOf({ ...file, ...sum });
    count += 1;
    await lines.append(line);
  };
  return {
    add: async ({ path, content, bytes, modified, crc }) => {
      const named = pathOf(path);
      // Relations alone are incremented, whose names are ASCII.
      const shown = content === 'incremented' ? { path: incrementalName(named.path) } : named;
      await append({ ...shown, bytes, modified, crc });
    },
    addSmall: async ({ path, modified, bytes }) => {
      await append({ path, modified, bytes: bytes.length, crc: crc32c(bytes) });
    },
    read: () => lines.read(),
  };
}
