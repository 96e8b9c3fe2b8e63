import { ByteReader } from '../format/byte-reader.ts';
import { isPagedFile } from '../format/increment/paged-file.ts';
import {
  readIncrementalHead,
  resultBlocks,
  type IncrementalHead,
} from '../format/increment/pg-incremental.ts';
import { encodeIncrementHead, incrementBytes } from '../format/increment/walg-increment.ts';
import { PAGE_BYTES } from '../format/page.ts';
import { TsbkError } from '../kernel/errors.ts';
import type { SourceMember } from '../ports/backup-source.ts';
import type { ByteSource } from '../ports/bytes.ts';
import { sourceOf } from '../stream/source.ts';
import type { StoredMember } from './member-filter.ts';

const ZEROS = new Uint8Array(PAGE_BYTES);

/**
 * What PostgreSQL sends of a file instead of the whole of it, as WAL-G writes such a thing: the same
 * pages under another head. `path` is that of the file. WAL-G takes a page that is not there from
 * older backups wherever they have it, PostgreSQL below its truncation length only: beyond that,
 * missing pages are zeros, and are written as such. Throws `tar-invalid`.
 */
export async function transcodeIncrement(
  member: SourceMember,
  body: ByteSource,
  path: string,
): Promise<StoredMember> {
  const reader = new ByteReader(body);
  const head = await readIncrementalHead(reader, { memberBytes: member.bytes, what: member.path });
  const pages = resultBlocks(head);
  const fileBytes = pages * PAGE_BYTES;
  if (pages === 0) {
    await requireEnd(reader, member.path);
    const empty = { ...member, path, bytes: 0 };
    return { member: empty, body: sourceOf(), content: undefined, fileBytes };
  }
  if (!isPagedFile(path, fileBytes)) throw notPaged(member.path);
  const blocks = withZeros(head, pages);
  return {
    member: { ...member, path, bytes: incrementBytes(blocks.length) },
    body: payload(reader, { head, blocks, fileBytes, what: member.path }),
    content: 'incremented',
    fileBytes,
  };
}

/** The blocks that are sent and those that must not be taken from older backups, ascending. */
function withZeros({ blocks, truncationBlocks }: IncrementalHead, pages: number): Uint32Array {
  const older = blocks.filter((block) => block < truncationBlocks);
  const whole = new Uint32Array(older.length + pages - truncationBlocks);
  whole.set(older);
  for (let block = truncationBlocks; block < pages; block += 1) {
    whole[older.length + block - truncationBlocks] = block;
  }
  return whole;
}

async function* payload(
  reader: ByteReader,
  {
    head,
    blocks,
    fileBytes,
    what,
  }: {
    readonly head: IncrementalHead;
    readonly blocks: Uint32Array;
    readonly fileBytes: number;
    readonly what: string;
  },
): ByteSource {
  yield encodeIncrementHead({ fileBytes, blocks });
  let sent = 0;
  let owed = 0;
  for (const block of blocks) {
    if (block === head.blocks[sent]) {
      sent += 1;
      owed += PAGE_BYTES;
      continue;
    }
    yield* pagesOf(reader, owed, what);
    owed = 0;
    yield ZEROS;
  }
  yield* pagesOf(reader, owed, what);
  await requireEnd(reader, what);
}

/** The next so many bytes as they come, in chunks that are lent. */
async function* pagesOf(reader: ByteReader, bytes: number, what: string): ByteSource {
  let left = bytes;
  while (left > 0) {
    const chunk = await reader.some(left);
    if (chunk === undefined) {
      throw new TsbkError('tar-invalid', `${what}: the incremental file ends within its pages`);
    }
    left -= chunk.length;
    yield chunk;
  }
}

/** Reads to the end of the source, so that whoever sums it on the way has all of it. */
async function requireEnd(reader: ByteReader, what: string): Promise<void> {
  if ((await reader.some(1)) === undefined) return;
  throw new TsbkError('tar-invalid', `${what}: the incremental file goes on after its pages`);
}

/** It was not in the manifest that the server was given. */
function notPaged(path: string): TsbkError {
  return new TsbkError(
    'protocol-violation',
    `the server sent an increment that was not asked for: ${path}`,
    {
      hint: 'Connect directly to PostgreSQL, not through a pooler.',
    },
  );
}
