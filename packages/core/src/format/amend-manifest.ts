import { createHash, type Hash } from 'node:crypto';
import { fileChecksum } from './file-checksum.ts';
import { manifestFileOf, manifestLineOf } from './manifest-line.ts';
import type { ByteSource } from '../ports/bytes.ts';

/**
 * The manifest with size and checksum of one file replaced by those of `content`, and its own
 * checksum made anew; everything else byte for byte. A restore that maps tablespaces changes
 * `tablespace_map`, a delta stores `backup_label` without two lines, and `pg_verifybackup` must not
 * call that damage.
 */
export async function* amendManifest(
  manifest: ByteSource,
  changed: { readonly path: string; readonly content: Uint8Array },
): ByteSource {
  const hash = createHash('sha256');
  let rest = Buffer.alloc(0);
  for await (const chunk of manifest) {
    const bytes = Buffer.concat([rest, chunk]);
    // The last line of all has no line after it, so it is never among the whole ones here.
    const end = bytes.lastIndexOf(NEWLINE, bytes.length - 2) + 1;
    if (end > 0) yield hashed(hash, amended(bytes.subarray(0, end), changed));
    rest = bytes.subarray(end);
  }
  yield Buffer.from(`"Manifest-Checksum": "${hash.digest('hex')}"}\n`);
}

const NEWLINE = 0x0a;

function hashed(hash: Hash, bytes: Buffer): Buffer {
  hash.update(bytes);
  return bytes;
}

function amended(
  lines: Buffer,
  changed: { readonly path: string; readonly content: Uint8Array },
): Buffer {
  const at = lines.indexOf(`"Path": ${JSON.stringify(changed.path)},`);
  if (at === -1) return lines;
  const start = lines.lastIndexOf(NEWLINE, at) + 1;
  const end = lines.indexOf(NEWLINE, at);
  const line = lines.toString('utf8', start, end);
  const file = manifestFileOf(line);
  if (file === undefined) return lines;
  const sum = fileChecksum(file.checksumAlgorithm);
  sum.add(changed.content);
  const bytes = changed.content.length;
  const text =
    manifestLineOf({ ...file, bytes, checksum: sum.hex() }) + (line.endsWith(',') ? ',' : '');
  return Buffer.concat([lines.subarray(0, start), Buffer.from(text), lines.subarray(end)]);
}
