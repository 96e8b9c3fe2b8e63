import { isTsbkError, TsbkError } from '../kernel/errors.ts';
import { formatLsn, type Lsn } from '../kernel/lsn.ts';
import type { SystemId } from '../kernel/system-id.ts';
import { formatSegment, segmentStart, type Segment } from '../kernel/wal-file.ts';
import { checkWalSegment } from '../format/wal/page-header.ts';
import { walRecords } from '../format/wal/records.ts';
import type { WalEnd } from '../format/wal/wal-record.ts';
import type { ByteSource } from '../ports/bytes.ts';

/** A segment of a chain, wherever its bytes come from. */
export interface ChainLink extends Segment {
  /** Opens the content. `undefined` says that it is gone. */
  open(): Promise<ByteSource | undefined>;
}

/** What a walk along a chain has proven. */
export interface ChainProof {
  /**
   * Up to here every record is whole and right, and each follows the one before. A segment whose last
   * record goes on in another one is proven with that one's.
   */
  readonly provenTo: Lsn;
  /** The segment at which the chain breaks, and why; absent if it holds to its end. */
  readonly broken: { readonly segment: Segment; readonly problem: string } | undefined;
}

export interface ChainOptions {
  readonly segmentBytes: number;
  /** Of the cluster, if it is known; all segments must be of one in any case. */
  readonly systemId: SystemId | undefined;
}

const FIRST_PAGE_BYTES = 8192;

/**
 * Walks consecutive segments as recovery would: length and first page of each, every page header,
 * every record's checksum, and its link to the one before, across segments. The first record that
 * begins in the first segment is where it starts. Memory is a few pages.
 */
export async function proveChain(
  links: readonly [ChainLink, ...ChainLink[]],
  options: ChainOptions,
): Promise<ChainProof> {
  const { segmentBytes } = options;
  const [first] = links;
  const start = segmentStart(first.number, segmentBytes);
  const reading = new LinkReader(links, options);
  let provenTo = start;
  try {
    const walk = { start, segmentBytes, others: true };
    for await (const item of walRecords(reading.content(), walk)) {
      if (item.kind !== 'end') {
        provenTo = item.endLsn;
      } else if (item.reason !== 'source') {
        return { provenTo, broken: breakAt(links, { end: item, segmentBytes }) };
      }
    }
    return { provenTo, broken: undefined };
  } catch (error) {
    if (!(error instanceof BadLink)) throw error;
    return { provenTo, broken: { segment: error.segment, problem: error.message } };
  }
}

/** The segment that the walk could not get through: the one in which the next record would begin. */
function breakAt(
  links: readonly [ChainLink, ...ChainLink[]],
  { end, segmentBytes }: { readonly end: WalEnd; readonly segmentBytes: number },
): NonNullable<ChainProof['broken']> {
  const number = end.lsn / BigInt(segmentBytes);
  const segment = links.find((link) => link.number === number) ?? links[0];
  const problem =
    end.reason === 'empty' ? 'nothing was written' : (end.problem ?? 'no valid record');
  return { segment, problem: `${problem} at ${formatLsn(end.lsn)}` };
}

/** A segment that is not what its name says. It never leaves this module. */
class BadLink extends Error {
  readonly segment: Segment;

  constructor(segment: Segment, problem: string, cause?: unknown) {
    super(problem, { cause });
    this.segment = segment;
  }
}

/** Reads the segments one after the other, and checks each for itself while it passes. */
class LinkReader {
  readonly #links: readonly ChainLink[];
  readonly #options: ChainOptions;
  #systemId: SystemId | undefined;

  constructor(links: readonly ChainLink[], options: ChainOptions) {
    this.#links = links;
    this.#options = options;
    this.#systemId = options.systemId;
  }

  async *content(): ByteSource {
    for (const link of this.#links) yield* this.#segment(link);
  }

  async *#segment(link: ChainLink): ByteSource {
    const head: Uint8Array[] = [];
    let headBytes = 0;
    let bytes = 0;
    try {
      const content = await link.open();
      if (content === undefined) throw new BadLink(link, 'it is gone');
      for await (const chunk of content) {
        bytes += chunk.length;
        if (bytes > this.#options.segmentBytes) throw new BadLink(link, 'it is too long');
        if (headBytes < FIRST_PAGE_BYTES) {
          head.push(chunk.slice(0, FIRST_PAGE_BYTES - headBytes));
          headBytes += Math.min(chunk.length, FIRST_PAGE_BYTES - headBytes);
        }
        yield chunk;
      }
      this.#check(link, Buffer.concat(head), bytes);
    } catch (error) {
      if (!isTsbkError(error) || !SAYS_DAMAGE.has(error.code)) throw error;
      throw new BadLink(link, error.message, error);
    }
  }

  #check(link: ChainLink, page: Uint8Array, bytes: number): void {
    const name = formatSegment(link, this.#options.segmentBytes);
    const { systemId, segmentBytes } = checkWalSegment(name, page, bytes);
    if (segmentBytes !== this.#options.segmentBytes) {
      throw new TsbkError('wal-invalid', `${name} is of a cluster with other segments`);
    }
    this.#systemId ??= systemId;
    if (systemId !== this.#systemId) {
      throw new TsbkError(
        'wrong-system-id',
        `${name} is of the cluster with system identifier ${systemId}, the others of ${this.#systemId}`,
      );
    }
  }
}

/** Errors that tell of the segment, not of the way to it. */
const SAYS_DAMAGE: ReadonlySet<string> = new Set([
  'object-corrupt',
  'wal-invalid',
  'wrong-system-id',
  'wrong-key',
]);
