import { treePath } from '../format/tree-path.ts';
import { crc32c } from '../format/crc32c.ts';
import { BlockList } from '../format/increment/block-list.ts';
import { isPagedFile } from '../format/increment/paged-file.ts';
import { PageSelection } from '../format/increment/page-selection.ts';
import { encodeIncrementHead, incrementBytes } from '../format/increment/walg-increment.ts';
import { PAGE_BYTES } from '../format/page.ts';
import type { Lsn } from '../kernel/lsn.ts';
import type { SourceMember } from '../ports/backup-source.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { KnownFile } from '../ports/files.ts';
import type { HeldBytes } from '../stream/held-bytes.ts';
import { sourceOf } from '../stream/source.ts';
import type { Spool } from '../stream/spool.ts';
import { deltaManifest } from './delta-manifest.ts';
import { FileSums } from './file-sums.ts';
import type { KnownFiles } from './parent.ts';
import { wholeMember, type MemberFilter, type StoredMember } from './member-filter.ts';
import { isSameMoment } from './same-moment.ts';

export interface PageDeltaInputs {
  /** Where the parent began: whatever was logged before it, the parent has. */
  readonly base: Lsn;
  readonly known: KnownFiles;
  /** Empty. For one file at a time. */
  readonly held: HeldBytes;
  /** For the lines of the manifest. */
  readonly spool: Spool;
  /** The manifest, in messages. */
  readonly what: string;
}

/** So many pages are looked at together. */
const LOOK_BYTES = 32 * PAGE_BYTES;

/**
 * A backup of which the server sends everything, and of which only what the parent does not have is
 * stored. Of a file of pages that the parent lists the changed ones are held until all have passed,
 * since what comes first in an increment is how many there are. Of any other file of which time and
 * length are the parent's all is held until its checksum is known. Everything else passes through.
 */
export function pageDelta({ base, known, held, spool, what }: PageDeltaInputs): MemberFilter {
  const increments = new FileSums();
  const selection = new PageSelection(base);
  const memory = Buffer.allocUnsafeSlow(LOOK_BYTES);
  return {
    take: async (member, body) => {
      const file = knownFile(known, member);
      if (file === undefined) return wholeMember(member, body);
      const sum = sumToMeet(member, file);
      held.clear();
      if (isPagedFile(member.path, member.bytes)) {
        const pages = inPieces(body, memory);
        return await takePages(member, pages, { sum, selection, held, increments });
      }
      return sum === undefined
        ? wholeMember(member, body)
        : await takeFile(member, body, { sum, held });
    },
    label: (label) => label,
    manifest: (manifest) => deltaManifest(manifest, { increments, spool, what }),
  };
}

function knownFile(
  known: KnownFiles,
  { kind, path, rawPath }: SourceMember,
): KnownFile | undefined {
  return kind === 'file' && rawPath === undefined ? known.of(treePath(path)) : undefined;
}

type Sum = KnownFile['sum'];

/** What the content must sum to if it is the parent's; `undefined` if it cannot be, or is not known. */
function sumToMeet({ bytes, modified }: SourceMember, known: KnownFile): Sum {
  const mayBeSame = known.sum?.bytes === bytes && isSameMoment(modified, known.modified);
  return mayBeSame ? known.sum : undefined;
}

async function takeFile(
  member: SourceMember,
  body: ByteSource,
  { sum, held }: { readonly sum: NonNullable<Sum>; readonly held: HeldBytes },
): Promise<StoredMember> {
  let crc = 0;
  for await (const chunk of body) {
    crc = crc32c(chunk, crc);
    await held.append(chunk);
  }
  return crc === sum.crc ? skippedMember(member) : wholeMember(member, held.read());
}

async function takePages(
  member: SourceMember,
  pages: ByteSource,
  {
    sum,
    selection,
    held,
    increments,
  }: {
    readonly sum: Sum;
    readonly selection: PageSelection;
    readonly held: HeldBytes;
    readonly increments: FileSums;
  },
): Promise<StoredMember> {
  const found = new BlockList();
  const selected: number[] = [];
  let crc = 0;
  let position = 0;
  for await (const chunk of pages) {
    if (sum !== undefined) crc = crc32c(chunk, crc);
    selected.length = 0;
    selection.each(chunk, (at) => selected.push(at));
    for (const at of selected) {
      found.add((position + at) / PAGE_BYTES);
      await held.append(chunk.subarray(at, at + PAGE_BYTES));
    }
    position += chunk.length;
  }
  if (sum !== undefined && crc === sum.crc) return skippedMember(member);
  if (held.bytes === member.bytes) return wholeMember(member, held.read());
  const head = encodeIncrementHead({ fileBytes: member.bytes, blocks: found.blocks() });
  const bytes = incrementBytes(found.count);
  const summed = (sumOfAll: number): void => increments.add(member.path, { bytes, crc: sumOfAll });
  return {
    member: { ...member, bytes },
    body: incrementOf(head, held, summed),
    content: 'incremented',
    fileBytes: member.bytes,
  };
}

function skippedMember(member: SourceMember): StoredMember {
  const { bytes: fileBytes } = member;
  return { member: { ...member, bytes: 0 }, body: sourceOf(), content: 'skipped', fileBytes };
}

/** In a place of its own, where pages can be looked at, and whole ones. */
async function* inPieces(source: ByteSource, memory: Buffer): ByteSource {
  let filled = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + memory.length - filled);
      memory.set(piece, filled);
      filled += piece.length;
      at += piece.length;
      if (filled < memory.length) continue;
      yield memory;
      filled = 0;
    }
  }
  if (filled > 0) yield memory.subarray(0, filled);
}

/** The increment; its checksum is told when all of it has passed. */
async function* incrementOf(
  head: Uint8Array,
  held: HeldBytes,
  summed: (crc: number) => void,
): ByteSource {
  let crc = crc32c(head);
  yield head;
  for await (const chunk of held.read()) {
    crc = crc32c(chunk, crc);
    yield chunk;
  }
  summed(crc);
}
