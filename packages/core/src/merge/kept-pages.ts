import { TsbkError } from '../kernel/errors.ts';
import { toInstant } from '../kernel/instant.ts';
import { ByteReader } from '../format/byte-reader.ts';
import { readIncrementHead, type IncrementHead } from '../format/increment/walg-increment.ts';
import { PAGE_BYTES } from '../format/page.ts';
import type { SourceMember } from '../ports/backup-source.ts';
import type { ByteSource } from '../ports/bytes.ts';
import { begunFile, pagesOf, type BegunFile } from '../repository/chain/begun-file.ts';
import { OpenPages } from '../repository/chain/open-pages.ts';
import type { ScratchBytes } from '../stream/scratch-bytes.ts';

/** An increment as it stands in a tar. */
export interface IncrementMember {
  /** With the size of the increment. */
  readonly member: SourceMember;
  readonly body: ByteSource;
  /** Names the member in messages. */
  readonly what: string;
}

/** What newer backups have of a file whose rest comes now. */
export interface KeptFile {
  /** As the newest of them has it, with the size that the file will have. */
  readonly member: SourceMember;
  /** Where older pages of the file end, bytes. */
  readonly limit: number;
  /** Numbers of the kept pages, ascending, and where each lies in the scratch bytes. */
  readonly blocks: Uint32Array;
  readonly places: Float64Array;
}

/**
 * The newest image of each page that increments have, while a chain is read from its newest backup to
 * the full one. The pages and everything of a size that depends on them lie in the scratch bytes, a
 * record for each increment: fixed part, member, numbers, pages; each leads to the one before of the
 * same file. Memory takes sixteen bytes for each file of the backup and a bit for each page.
 */
export class KeptPages {
  readonly #scratch: ScratchBytes;
  readonly #open: OpenPages;
  /** By number: where the last record of the file begins, plus one; 0 for a file without. */
  readonly #records: Float64Array;
  /** By number: bytes of the file that is made. */
  readonly #lengths: Float64Array;

  /** For files numbered below `count`. */
  constructor(scratch: ScratchBytes, count: number) {
    this.#scratch = scratch;
    this.#open = new OpenPages(count);
    this.#records = new Float64Array(count);
    this.#lengths = new Float64Array(count);
  }

  /** Whether an increment of the file has come. */
  has(number: number): boolean {
    return this.#records[number] !== 0;
  }

  /**
   * Keeps the pages of an increment that no newer backup has. The file's first increment says how long
   * it is; each also ends what older ones may fill at its own file's length, because the file once was
   * as short as that. Throws `tar-invalid` and `scratch-failed`.
   */
  async keep(number: number, { member, body, what }: IncrementMember): Promise<void> {
    const reader = new ByteReader(body);
    const head = await readIncrementHead(reader, { entryBytes: member.bytes, what });
    const begun = begunFile(this.#open.files, number);
    const isKept = (block: number): boolean => begun?.isTaken(block) !== true;
    const at = this.#scratch.bytes;
    await this.#writeHead(number, begun === undefined ? member : undefined, {
      blocks: head.blocks.filter(isKept),
    });
    await this.#copyPages(reader, { head, begun, what });
    this.#records[number] = at + 1;
    // Its pages may go beyond its length: WAL-G goes on reading a file that grows.
    if (begun === undefined) this.#lengths[number] = Math.max(head.fileBytes, endOf(head.blocks));
    const limit = Math.min(begun?.limit ?? Infinity, head.fileBytes);
    const pages = pagesOf(limit);
    const blocks = head.blocks.filter((block) => block < pages && isKept(block));
    this.#open.add(number, { limit, blocks });
  }

  /** Everything that was kept of a file. Throws `scratch-failed`. */
  async file(number: number): Promise<KeptFile> {
    const found: { readonly blocks: Uint32Array; readonly at: number }[] = [];
    let member: SourceMember | undefined;
    for (let next = this.#records[number] ?? 0; next > 0;) {
      const record = await this.#readHead(next - 1);
      found.push(record);
      member = record.member;
      next = record.before;
    }
    if (member === undefined) throw new TypeError(`nothing was kept of file ${number}`);
    const limit = begunFile(this.#open.files, number)?.limit ?? 0;
    return { member: { ...member, bytes: this.#lengths[number] ?? 0 }, limit, ...sorted(found) };
  }

  async #writeHead(
    number: number,
    member: SourceMember | undefined,
    { blocks }: Pick<IncrementHead, 'blocks'>,
  ): Promise<void> {
    const text = Buffer.from(member === undefined ? '' : textOf(member));
    const fixed = Buffer.alloc(FIXED_BYTES);
    fixed.writeDoubleLE(this.#records[number] ?? 0);
    fixed.writeUInt32LE(text.length, TEXT_AT);
    fixed.writeUInt32LE(blocks.length, COUNT_AT);
    await this.#scratch.append(fixed);
    await this.#scratch.append(text);
    await this.#scratch.append(Buffer.from(blocks.buffer, blocks.byteOffset, blocks.byteLength));
  }

  async #readHead(at: number): Promise<{
    readonly before: number;
    readonly member: SourceMember | undefined;
    readonly blocks: Uint32Array;
    readonly at: number;
  }> {
    const fixed = await this.#scratch.read(at, FIXED_BYTES);
    const textBytes = fixed.readUInt32LE(TEXT_AT);
    const count = fixed.readUInt32LE(COUNT_AT);
    const text = await this.#scratch.read(at + FIXED_BYTES, textBytes);
    const numbersAt = at + FIXED_BYTES + textBytes;
    const numbers = await this.#scratch.read(numbersAt, 4 * count);
    return {
      before: fixed.readDoubleLE(),
      member: textBytes === 0 ? undefined : memberOf(text.toString()),
      blocks: new Uint32Array(Uint8Array.from(numbers).buffer),
      at: numbersAt + 4 * count,
    };
  }

  async #copyPages(
    reader: ByteReader,
    {
      head,
      begun,
      what,
    }: {
      readonly head: IncrementHead;
      readonly begun: BegunFile | undefined;
      readonly what: string;
    },
  ): Promise<void> {
    for (const block of head.blocks) {
      const page = await reader.take(PAGE_BYTES);
      if (page.length < PAGE_BYTES) {
        throw new TsbkError('tar-invalid', `${what}: the increment ends within its pages`);
      }
      if (begun?.isTaken(block) === true) continue;
      const valid = (begun?.limit ?? Infinity) - block * PAGE_BYTES;
      await this.#scratch.append(page.subarray(0, Math.min(valid, PAGE_BYTES)));
      if (valid < PAGE_BYTES) await this.#scratch.append(new Uint8Array(PAGE_BYTES - valid));
    }
  }
}

/** Where the record before begins, plus one; bytes of the member's text; number of pages. */
const FIXED_BYTES = 16;
const TEXT_AT = 8;
const COUNT_AT = 12;

function endOf(blocks: Uint32Array): number {
  let end = 0;
  for (const block of blocks) end = Math.max(end, block + 1);
  return end * PAGE_BYTES;
}

/** Relations alone are incremented, whose names are ASCII. */
function textOf({ path, mode, modified, uid, gid }: SourceMember): string {
  return JSON.stringify([path, mode, String(modified), uid, gid]);
}

function memberOf(text: string): SourceMember {
  const [path, mode, modified, uid, gid] = JSON.parse(text) as [
    string,
    number,
    string,
    number,
    number,
  ];
  return { kind: 'file', path, bytes: 0, mode, modified: toInstant(BigInt(modified)), uid, gid };
}

function sorted(
  records: readonly { readonly blocks: Uint32Array; readonly at: number }[],
): Pick<KeptFile, 'blocks' | 'places'> {
  const count = records.reduce((sum, { blocks }) => sum + blocks.length, 0);
  const blocks = new Uint32Array(count);
  const places = new Float64Array(count);
  let filled = 0;
  for (const record of records) {
    record.blocks.forEach((block, index) => {
      blocks[filled] = block;
      places[filled] = record.at + index * PAGE_BYTES;
      filled += 1;
    });
  }
  const order = Uint32Array.from(blocks.keys()).sort((a, b) => (blocks[a] ?? 0) - (blocks[b] ?? 0));
  return {
    blocks: order.map((index) => blocks[index] ?? 0),
    places: Float64Array.from(order, (index) => places[index] ?? 0),
  };
}
