import { endOfArchive } from '../../format/tar/write.ts';
import type { Lanes, LaneWriter, Receipt } from '../../ports/lanes.ts';
import type { FileList, TarNames } from '../file-list.ts';
import { partitionsFolder, partName } from '../layout.ts';

/** One finished tar of the backup. */
export interface PackedPart {
  readonly receipt: Receipt;
  /** Member names in the order they were packed, as they stand in the tar. */
  readonly names: TarNames;
}

export interface PartsOptions {
  readonly backup: string;
  readonly lanes: Pick<Lanes, 'width' | 'open' | 'small'>;
  /** Where the names of each part are listed. */
  readonly list: Pick<FileList, 'tar'>;
  /** A part is closed before the member that would make its payload exceed this. */
  readonly partBytesMax: number;
  readonly signal: AbortSignal;
}

/** A tar that takes members. */
export interface OpenPart {
  readonly names: TarNames;
  readonly writer: LaneWriter;
  payloadBytes: number;
}

/** With less than this in each part there is nothing to gain from one more, which has a lane start. */
const PART_BYTES_MIN = 8 * 1024 * 1024;

/** The tars of a backup that are being written, and those that are done. */
export class OpenParts {
  readonly #options: PartsOptions;
  /** In the lanes, one each at most. */
  readonly #open: OpenPart[] = [];
  readonly #closed: Promise<PackedPart>[] = [];
  /** In the small lane. */
  #small: OpenPart | undefined;
  #count = 0;

  constructor(options: PartsOptions) {
    this.#options = options;
  }

  /** Where a member of so many bytes goes. */
  async partFor(bytes: number): Promise<OpenPart> {
    return this.#smallPartFor(bytes) ?? (await this.#largePartFor(bytes));
  }

  /** Closes all parts and waits until every object is stored. */
  async finish(): Promise<readonly PackedPart[]> {
    // Closing takes a part out of the list.
    for (let [part] = this.#unfinished(); part !== undefined; [part] = this.#unfinished()) {
      await this.#close(part);
    }
    return await Promise.all(this.#closed);
  }

  /** Ends all parts with `error`, and waits until nothing of them is under way. Never throws. */
  async fail(error: unknown): Promise<void> {
    const left = this.#unfinished().map(({ writer }) => writer.fail(error));
    await Promise.allSettled([...this.#closed, ...left]);
  }

  #smallPartFor(bytes: number): OpenPart | undefined {
    const { lanes, partBytesMax } = this.#options;
    if (lanes.small === undefined) return undefined;
    const bytesMax = Math.min(lanes.small.bytesMax, partBytesMax);
    if ((this.#small?.payloadBytes ?? 0) + bytes > bytesMax) return undefined;
    this.#small ??= this.#begin(lanes.small);
    return this.#small;
  }

  async #largePartFor(bytes: number): Promise<OpenPart> {
    const { lanes, partBytesMax } = this.#options;
    const fitting = this.#open.filter(
      (part) => part.payloadBytes === 0 || part.payloadBytes + bytes <= partBytesMax,
    );
    const least = leastWaiting(fitting.length > 0 ? fitting : this.#open);
    if (fitting.length > 0 && least !== undefined && least.payloadBytes < PART_BYTES_MIN) {
      return least;
    }
    if (this.#open.length >= lanes.width && least !== undefined) {
      if (fitting.length > 0) return least;
      await this.#close(least);
    }
    const part = this.#begin(lanes);
    this.#open.push(part);
    return part;
  }

  #begin(lane: Pick<Lanes, 'open'>): OpenPart {
    const { backup, list, signal } = this.#options;
    this.#count += 1;
    const key = `${partitionsFolder(backup)}${partName(this.#count)}`;
    return { names: list.tar(), writer: lane.open(key, { signal }), payloadBytes: 0 };
  }

  async #close(part: OpenPart): Promise<void> {
    const { names, writer } = part;
    await names.end();
    await writer.write(endOfArchive());
    if (part === this.#small) this.#small = undefined;
    else this.#open.splice(this.#open.indexOf(part), 1);
    const done = writer.end().then((receipt) => ({ receipt, names }));
    // `finish` hears of it; until then it is nobody's.
    done.catch(() => undefined);
    this.#closed.push(done);
  }

  #unfinished(): readonly OpenPart[] {
    return this.#small === undefined ? this.#open : [this.#small, ...this.#open];
  }
}

function leastWaiting(parts: readonly OpenPart[]): OpenPart | undefined {
  let least = parts[0];
  for (const part of parts) {
    if (least === undefined || part.writer.waiting() < least.writer.waiting()) least = part;
  }
  return least;
}
