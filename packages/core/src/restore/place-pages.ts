import { TsbkError } from '../kernel/errors.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import { ByteReader } from '../format/byte-reader.ts';
import { readIncrementHead, type IncrementHead } from '../format/increment/walg-increment.ts';
import { PAGE_BYTES } from '../format/page.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { PageFile } from '../cluster/page-file.ts';
import type { Placer } from '../cluster/place.ts';
import type { PageRuns } from '../ports/extract.ts';
import { pagesOf, type BegunFile } from '../repository/chain/begun-file.ts';
import type { RunSums } from './run-sums.ts';

/** A member of a tar that has pages of a file. */
export interface PagesMember {
  readonly path: TreePath;
  readonly mode: number;
  /** Of the member, not of the file. */
  readonly bytes: number;
  readonly body: ByteSource;
  /** Sums what is placed. */
  readonly sums: RunSums | undefined;
  /** Names the member in messages. */
  readonly what: string;
}

/** What became of an increment. */
export interface PlacedPages {
  /** The file was not there before. */
  readonly isNew: boolean;
  /** Where older pages of the file end from now on, bytes. */
  readonly limit: number;
  /** Numbers of the pages below it that were placed now. */
  readonly blocks: Uint32Array;
  readonly isComplete: boolean;
  readonly runs: PageRuns;
}

/**
 * Writes the pages of an increment that no newer backup has: the file's first increment makes it,
 * with the length it says; a later one only fills what is open. Each increment also ends what older
 * ones may fill at its own file's length, because the file once was as short as that. `undefined`
 * if something is at the path of a new file. Throws `tar-invalid` and what the placer throws.
 */
export async function placeIncrement(
  placer: Placer,
  member: PagesMember,
  begun: BegunFile | undefined,
): Promise<PlacedPages | undefined> {
  const { path, mode, bytes: entryBytes, sums, what } = member;
  const reader = new ByteReader(member.body);
  const head = await readIncrementHead(reader, { entryBytes, what });
  // It may have pages beyond that length: WAL-G goes on reading a file that grows.
  const file =
    begun === undefined ? await placer.pages(path, mode, head.fileBytes) : placer.reopen(path);
  if (file === undefined) return undefined;
  try {
    await copyPages(reader, { head, begun, sums, file, what });
    const limit = Math.min(begun?.limit ?? Infinity, head.fileBytes);
    const pages = pagesOf(limit);
    const blocks = head.blocks.filter((block) => block < pages && begun?.isTaken(block) !== true);
    const isComplete = blocks.length === openPages(begun, pages);
    await file.close({ isComplete });
    return { isNew: begun === undefined, limit, blocks, isComplete, runs: runsOf(sums) };
  } catch (error) {
    file.abandon();
    throw error;
  }
}

/**
 * Writes what of a whole file is still open in one that is begun, which is complete then. Gives the
 * sums of that.
 */
export async function fillFile(
  placer: Placer,
  { path, body, sums }: PagesMember,
  begun: BegunFile,
): Promise<PageRuns> {
  const file = placer.reopen(path);
  try {
    let position = 0;
    for await (const chunk of body) {
      fillFrom(chunk, position, { file, begun, sums });
      position += chunk.length;
    }
    await file.close({ isComplete: true });
    return runsOf(sums);
  } catch (error) {
    file.abandon();
    throw error;
  }
}

function runsOf(sums: RunSums | undefined): PageRuns {
  return sums?.done() ?? new Uint32Array();
}

function openPages(begun: BegunFile | undefined, pages: number): number {
  if (begun === undefined) return pages;
  let open = 0;
  for (let page = 0; page < pages; page += 1) if (!begun.isTaken(page)) open += 1;
  return open;
}

interface PagesWay {
  readonly head: IncrementHead;
  readonly begun: BegunFile | undefined;
  readonly sums: RunSums | undefined;
  readonly file: PageFile;
  readonly what: string;
}

/** Neighbours that go to one place are written together. */
async function copyPages(reader: ByteReader, way: PagesWay): Promise<void> {
  const { blocks } = way.head;
  for (let first = 0; first < blocks.length;) {
    const block = blocks[first] ?? 0;
    const isTaken = way.begun?.isTaken(block) === true;
    let next = first + 1;
    while (
      blocks[next] === block + next - first &&
      (way.begun?.isTaken(block + next - first) === true) === isTaken
    ) {
      next += 1;
    }
    await copyRun(reader, { block, count: next - first, isTaken }, way);
    first = next;
  }
}

async function copyRun(
  reader: ByteReader,
  run: { readonly block: number; readonly count: number; readonly isTaken: boolean },
  { begun, sums, file, what }: PagesWay,
): Promise<void> {
  let position = run.block * PAGE_BYTES;
  const end = position + run.count * PAGE_BYTES;
  const limit = begun?.limit ?? Infinity;
  while (position < end) {
    const chunk = await reader.some(end - position);
    if (chunk === undefined) {
      throw new TsbkError('tar-invalid', `${what}: the increment ends within its pages`);
    }
    if (!run.isTaken) {
      const open = chunk.subarray(0, Math.max(limit - position, 0));
      file.write(open, position);
      sums?.add(open, position);
    }
    position += chunk.length;
  }
}

interface FillWay {
  readonly file: PageFile;
  readonly begun: BegunFile;
  readonly sums: RunSums | undefined;
}

function fillFrom(chunk: Uint8Array, start: number, { file, begun, sums }: FillWay): void {
  const end = Math.min(start + chunk.length, begun.limit);
  for (let from = start; from < end;) {
    const isTaken = begun.isTaken(Math.floor(from / PAGE_BYTES));
    let to = endOfPage(from);
    while (to < end && begun.isTaken(to / PAGE_BYTES) === isTaken) to += PAGE_BYTES;
    to = Math.min(to, end);
    if (!isTaken) {
      const open = chunk.subarray(from - start, to - start);
      file.write(open, from);
      sums?.add(open, from);
    }
    from = to;
  }
}

function endOfPage(position: number): number {
  return (Math.floor(position / PAGE_BYTES) + 1) * PAGE_BYTES;
}
