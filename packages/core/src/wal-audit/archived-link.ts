import { TsbkError } from '../kernel/errors.ts';
import { formatSegment, type Segment } from '../kernel/wal-file.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { openWal } from '../repository/wal-archive.ts';
import { carriesChecksum, readWalDigest } from '../repository/wal-digest.ts';
import { tally } from '../stream/tally.ts';
import type { ChainLink } from './chain.ts';

/** A segment of the archive. Where neither codec nor cipher proves the content, its digest does. */
export function archivedLink(
  repository: Repository,
  segment: Segment,
  { signal, segmentBytes }: RunOptions & { readonly segmentBytes: number },
): ChainLink {
  const name = formatSegment(segment, segmentBytes);
  return {
    ...segment,
    open: async () => {
      const opened = await openWal(repository, name, { signal });
      if (opened === undefined) return undefined;
      const { content, codec, info } = opened;
      if (carriesChecksum(codec.name) || repository.cipher.name !== 'none') return content;
      const sha256 = await readWalDigest(repository, name, codec.name, { signal });
      return sha256 === undefined ? content : digested(content, { sha256, key: info.key });
    },
  };
}

async function* digested(
  content: ByteSource,
  { sha256, key }: { readonly sha256: string; readonly key: string },
): ByteSource {
  const counted = tally();
  yield* counted.stage(content);
  if (counted.result().sha256 === sha256) return;
  throw new TsbkError(
    'object-corrupt',
    `${key} does not have the SHA-256 that was recorded when it was archived`,
  );
}
