import { createHash } from 'node:crypto';
import { formatLsn } from '../kernel/lsn.ts';
import type { SystemId } from '../kernel/system-id.ts';
import type { ByteSource } from '../ports/bytes.ts';
import { manifestLineOf } from './manifest-line.ts';
import type { ManifestFile, ManifestWalRange } from './manifest.ts';

/** All of a manifest but its files. */
export interface ManifestFrame {
  /** Makes a manifest of version 2 (PostgreSQL 17 and later); `undefined` one of version 1. */
  readonly systemId: SystemId | undefined;
  /** Newest timeline first. */
  readonly walRanges: readonly ManifestWalRange[];
}

const CHUNK_CHARS = 64 * 1024;

/** Writes a manifest exactly as PostgreSQL does. */
export function formatManifest({
  files,
  ...frame
}: ManifestFrame & { readonly files: Iterable<ManifestFile> }): ByteSource {
  return frameManifest(linesOf(files), frame);
}

/**
 * Writes a manifest around the lines of its files, which are there already: each is what
 * `manifestLineOf` gives, after the separator that `lineSeparator` gives for its place.
 */
export async function* frameManifest(
  lines: ByteSource,
  { systemId, walRanges }: ManifestFrame,
): ByteSource {
  const hash = createHash('sha256');
  const hashed = (bytes: Uint8Array): Uint8Array => {
    hash.update(bytes);
    return bytes;
  };
  const id = systemId === undefined ? '' : `"System-Identifier": ${systemId},\n`;
  const version = systemId === undefined ? 1 : 2;
  const start = `{ "PostgreSQL-Backup-Manifest-Version": ${version},\n${id}"Files": [`;
  yield hashed(Buffer.from(start));
  for await (const chunk of lines) yield hashed(chunk);
  const ranges = walRanges.map(walRangeText).join(',');
  yield hashed(Buffer.from(`\n],\n"WAL-Ranges": [${ranges}\n],\n`));
  yield Buffer.from(`"Manifest-Checksum": "${hash.digest('hex')}"}\n`);
}

/** What goes before the line of the file with this index. */
export function lineSeparator(index: number): string {
  return index === 0 ? '\n' : ',\n';
}

/** In pieces of many lines. */
async function* linesOf(files: Iterable<ManifestFile>): ByteSource {
  let text = '';
  let index = 0;
  for (const file of files) {
    text += lineSeparator(index) + manifestLineOf(file);
    index += 1;
    if (text.length < CHUNK_CHARS) continue;
    yield Buffer.from(text);
    text = '';
  }
  if (text !== '') yield Buffer.from(text);
}

function walRangeText({ timeline, startLsn, endLsn }: ManifestWalRange): string {
  return `\n{ "Timeline": ${timeline}, "Start-LSN": "${formatLsn(startLsn)}", "End-LSN": "${formatLsn(endLsn)}" }`;
}
