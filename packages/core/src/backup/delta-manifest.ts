import { crc32cHex } from '../format/crc32c.ts';
import { frameManifest, lineSeparator } from '../format/format-manifest.ts';
import { incrementalName } from '../format/increment/pg-incremental.ts';
import { manifestLineOf } from '../format/manifest-line.ts';
import { ManifestParser } from '../format/manifest-parser.ts';
import type { ManifestFile } from '../format/manifest.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { Spool } from '../stream/spool.ts';
import type { FileSums } from './file-sums.ts';

/**
 * The manifest that a server sent with all of its files, with the lines of those that are stored as
 * increments changed to what is stored: a restore puts them together of pages that the server has
 * not summed, and hint bits of pages that were not logged may differ from those it did. Nothing is
 * given before all of the server's has been read and its checksum was right; the lines wait in
 * `spool`. Throws `record-invalid`.
 */
export async function* deltaManifest(
  manifest: ByteSource,
  {
    increments,
    spool,
    what,
  }: {
    /** By path: length and checksum of the increment. */
    readonly increments: FileSums;
    readonly spool: Spool;
    readonly what: string;
  },
): ByteSource {
  const lines = spool.text();
  let count = 0;
  let pending = '';
  const parser = new ManifestParser({
    what,
    onFile: (file) => {
      pending += lineSeparator(count) + manifestLineOf(storedFile(file, increments));
      count += 1;
    },
  });
  for await (const chunk of manifest) {
    parser.push(chunk);
    await lines.append(pending);
    pending = '';
  }
  const { systemId, walRanges } = parser.end();
  yield* frameManifest(lines.read(), { systemId, walRanges });
}

function storedFile(file: ManifestFile, increments: FileSums): ManifestFile {
  const increment = file.rawPath === undefined ? increments.of(file.path) : undefined;
  if (increment === undefined) return file;
  return {
    ...file,
    path: incrementalName(file.path),
    bytes: increment.bytes,
    checksumAlgorithm: 'CRC32C',
    checksum: crc32cHex(increment.crc),
  };
}
