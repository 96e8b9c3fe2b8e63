import type { Listed } from '../cluster/list-data-directory.ts';
import type { TreePath } from '../kernel/tree-path.ts';

/** What of a data directory goes into one tar. */
export interface PlannedPart {
  readonly directories: readonly TreePath[];
  readonly files: readonly TreePath[];
  /** Payload bytes when it was listed. */
  readonly bytes: number;
}

/** What is known of a data directory before it is read. */
export interface Survey {
  readonly bytes: number;
  /** Files of at least `largeBytes`, the largest first. */
  readonly large: readonly { readonly path: TreePath; readonly bytes: number }[];
}

export interface PlanOptions {
  /** How many parts are made at once. */
  readonly width: number;
  /** A part is closed before the file that would make its payload exceed this. */
  readonly partBytesMax: number;
}

const MIB = 1024 ** 2;
/** So few of the files of a database are larger that all of them can be known at once. */
const LARGE_BYTES = 16 * MIB;
/** Parts smaller than this are not worth an object. */
const PART_BYTES_MIN = 64 * MIB;
/** Parts for each lane, so that none is left alone with much of the work at the end. */
const PARTS_PER_LANE = 4;
/** A task is a message between threads, and one tar should not be of nothing but headers. */
const MEMBERS_MAX = 10_000;

/** Goes through a listing once, for the sum and the large files. */
export async function survey(listing: AsyncIterable<Listed>): Promise<Survey> {
  let bytes = 0;
  const large: { path: TreePath; bytes: number }[] = [];
  for await (const listed of listing) {
    if (listed.kind !== 'file') continue;
    bytes += listed.bytes;
    if (listed.bytes >= LARGE_BYTES) large.push({ path: listed.path, bytes: listed.bytes });
  }
  return { bytes, large: large.sort((a, b) => b.bytes - a.bytes) };
}

/**
 * Parts of about equal size: first those of the large files, the largest first, then of all others
 * in the order of a second listing, so that what ends last is small. A file that has become large
 * or was made since the survey is in the second listing; none is in two parts.
 */
export async function* planParts(
  { bytes, large }: Survey,
  listing: AsyncIterable<Listed>,
  options: PlanOptions,
): AsyncGenerator<PlannedPart, void, undefined> {
  const part = new OpenPart(partBytes(bytes, options));
  const packed = new Set<TreePath>();
  for (const file of large) {
    if (!part.hasRoomFor(file.bytes)) yield part.take();
    part.addFile(file.path, file.bytes);
    packed.add(file.path);
  }
  for await (const listed of listing) {
    if (listed.kind === 'directory') {
      if (!part.hasRoomFor(0)) yield part.take();
      part.addDirectory(listed.path);
    } else if (listed.kind === 'file' && !packed.has(listed.path)) {
      if (!part.hasRoomFor(listed.bytes)) yield part.take();
      part.addFile(listed.path, listed.bytes);
    }
  }
  if (!part.isEmpty()) yield part.take();
}

function partBytes(bytes: number, { width, partBytesMax }: PlanOptions): number {
  const even = Math.ceil(bytes / (width * PARTS_PER_LANE));
  return Math.min(partBytesMax, Math.max(even, PART_BYTES_MIN));
}

class OpenPart {
  readonly #bytesMax: number;
  #directories: TreePath[] = [];
  #files: TreePath[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  isEmpty(): boolean {
    return this.#directories.length + this.#files.length === 0;
  }

  /** A part takes at least one file, however large. */
  hasRoomFor(bytes: number): boolean {
    const members = this.#directories.length + this.#files.length;
    if (members >= MEMBERS_MAX) return false;
    return this.#bytes === 0 || this.#bytes + bytes <= this.#bytesMax;
  }

  addDirectory(path: TreePath): void {
    this.#directories.push(path);
  }

  addFile(path: TreePath, bytes: number): void {
    this.#files.push(path);
    this.#bytes += bytes;
  }

  take(): PlannedPart {
    const part = { directories: this.#directories, files: this.#files, bytes: this.#bytes };
    this.#directories = [];
    this.#files = [];
    this.#bytes = 0;
    return part;
  }
}
