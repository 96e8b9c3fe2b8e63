import type { SourceMember } from '../../ports/backup-source.ts';
import type { ByteSource } from '../../ports/bytes.ts';
import type { Lanes, LaneWriter, Receipt } from '../../ports/lanes.ts';
import { encodeHeader, endOfArchive, padding } from '../../format/tar/write.ts';
import type { FileList, TarNames } from '../file-list.ts';
import { partitionsFolder, partName } from '../layout.ts';
import { tarHeaderOf, tarNameOf } from './canonical.ts';

/** One finished tar of the backup. */
export interface PackedPart {
  readonly receipt: Receipt;
  /** Member names in the order they were packed, as they stand in the tar. */
  readonly names: TarNames;
}

export interface Packer {
  /** Puts a member, header and body, into one of the open parts. */
  add(member: SourceMember, body: ByteSource): Promise<void>;
  /** Closes all parts and waits until every object is stored. */
  finish(): Promise<readonly PackedPart[]>;
  /** Ends all parts with `error`, and waits until nothing of them is under way. Never throws. */
  fail(error: unknown): Promise<void>;
}

export interface PackOptions {
  readonly backup: string;
  readonly lanes: Pick<Lanes, 'width' | 'open'>;
  /** Where the names of each part are listed. */
  readonly list: Pick<FileList, 'tar'>;
  /** A part is closed before the member that would make its payload exceed this. */
  readonly partBytesMax: number;
  readonly signal: AbortSignal;
}

interface OpenPart {
  readonly names: TarNames;
  readonly writer: LaneWriter;
  payloadBytes: number;
}

/** With less than this in each part there is nothing to gain from one more, which has a lane start. */
const PART_BYTES_MIN = 8 * 1024 * 1024;

/**
 * Distributes members over as many open parts as there are lanes, once there is enough for them. A
 * member goes whole to the part with the least waiting in front of it, so that all lanes have work
 * although the members come one after the other.
 */
export function packer(options: PackOptions): Packer {
  const { lanes, partBytesMax } = options;
  const open: OpenPart[] = [];
  const closed: Promise<PackedPart>[] = [];
  let parts = 0;

  const close = async (part: OpenPart): Promise<void> => {
    const { names, writer } = part;
    await names.end();
    await writer.write(endOfArchive());
    open.splice(open.indexOf(part), 1);
    const done = writer.end().then((receipt) => ({ receipt, names }));
    // `finish` hears of it; until then it is nobody's.
    done.catch(() => undefined);
    closed.push(done);
  };
  const partFor = async (bytes: number): Promise<OpenPart> => {
    const fitting = open.filter(
      (p) => p.payloadBytes === 0 || p.payloadBytes + bytes <= partBytesMax,
    );
    const [least] = [...(fitting.length > 0 ? fitting : open)].sort(byWaiting);
    if (fitting.length > 0 && least !== undefined && least.payloadBytes < PART_BYTES_MIN) {
      return least;
    }
    if (open.length >= lanes.width && least !== undefined) {
      if (fitting.length > 0) return least;
      await close(least);
    }
    parts += 1;
    const part = openPart(options, parts);
    open.push(part);
    return part;
  };

  return {
    add: async (member, body) => {
      const part = await partFor(member.bytes);
      await part.names.add(tarNameOf(member));
      part.payloadBytes += member.bytes;
      await part.writer.write(encodeHeader(tarHeaderOf(member)));
      for await (const chunk of body) await part.writer.write(chunk);
      const pad = padding(member.bytes);
      if (pad.length > 0) await part.writer.write(pad);
    },
    finish: async () => {
      // Closing takes a part out of the list.
      for (let part = open[0]; part !== undefined; part = open[0]) await close(part);
      return await Promise.all(closed);
    },
    fail: async (error) => {
      await Promise.allSettled([...closed, ...open.map(({ writer }) => writer.fail(error))]);
    },
  };
}

function byWaiting(a: OpenPart, b: OpenPart): number {
  return a.writer.waiting() - b.writer.waiting();
}

function openPart({ backup, lanes, list, signal }: PackOptions, number: number): OpenPart {
  const key = `${partitionsFolder(backup)}${partName(number)}`;
  return { names: list.tar(), writer: lanes.open(key, { signal }), payloadBytes: 0 };
}
