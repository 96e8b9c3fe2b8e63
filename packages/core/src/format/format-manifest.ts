import { createHash } from 'node:crypto';
import { formatLsn } from '../kernel/lsn.ts';
import type { SystemId } from '../kernel/system-id.ts';
import type { ByteSource } from '../ports/bytes.ts';
import { manifestLineOf } from './manifest-line.ts';
import type { ManifestFile, ManifestWalRange } from './manifest.ts';

/** What a manifest is made of. */
export interface ManifestContent {
  /** Makes a manifest of version 2 (PostgreSQL 17 and later); `undefined` one of version 1. */
  readonly systemId: SystemId | undefined;
  readonly files: Iterable<ManifestFile>;
  /** Newest timeline first. */
  readonly walRanges: readonly ManifestWalRange[];
}

const CHUNK_CHARS = 64 * 1024;

/** Writes a manifest exactly as PostgreSQL does, as its files come. */
export async function* formatManifest(content: ManifestContent): ByteSource {
  const hash = createHash('sha256');
  for (const text of texts(content)) {
    const bytes = Buffer.from(text);
    hash.update(bytes);
    yield bytes;
  }
  yield Buffer.from(`"Manifest-Checksum": "${hash.digest('hex')}"}\n`);
}

/** All but the last line, in pieces of many lines. */
function* texts({ systemId, files, walRanges }: ManifestContent): Generator<string> {
  let text = `{ "PostgreSQL-Backup-Manifest-Version": ${systemId === undefined ? 1 : 2},\n`;
  if (systemId !== undefined) text += `"System-Identifier": ${systemId},\n`;
  text += '"Files": [';
  let separator = '\n';
  for (const file of files) {
    text += separator + manifestLineOf(file);
    separator = ',\n';
    if (text.length < CHUNK_CHARS) continue;
    yield text;
    text = '';
  }
  text += '\n],\n"WAL-Ranges": [';
  yield `${text}${walRanges.map(walRangeText).join(',')}\n],\n`;
}

function walRangeText({ timeline, startLsn, endLsn }: ManifestWalRange): string {
  return `\n{ "Timeline": ${timeline}, "Start-LSN": "${formatLsn(startLsn)}", "End-LSN": "${formatLsn(endLsn)}" }`;
}
