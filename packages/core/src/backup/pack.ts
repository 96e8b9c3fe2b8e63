import type { SourceMember } from '../ports/backup-source.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { Lanes, Receipt } from '../ports/lanes.ts';
import { encodeHeader, endOfArchive, padding } from '../format/tar/write.ts';
import type { FileList, TarNames } from '../repository/file-list.ts';
import { partitionsFolder, partName } from '../repository/layout.ts';
import { channel, type Channel } from '../stream/channel.ts';
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
  readonly lanes: Pick<Lanes, 'width' | 'write'>;
  /** Where the names of each part are listed. */
  readonly list: Pick<FileList, 'tar'>;
  /** A part is closed before the member that would make its payload exceed this. */
  readonly partBytesMax: number;
  /** Raw bytes that may wait in front of one lane. */
  readonly bufferBytes: number;
  readonly signal: AbortSignal;
}

interface OpenPart {
  readonly names: TarNames;
  readonly pipe: Channel;
  readonly done: Promise<PackedPart>;
  payloadBytes: number;
}

/**
 * Distributes members over as many open parts as there are lanes. A member goes whole to the part
 * with the least waiting in front of it, so that all lanes have work although the members come one
 * after the other.
 */
export function packer(options: PackOptions): Packer {
  const { lanes, partBytesMax } = options;
  const open: OpenPart[] = [];
  const closed: Promise<PackedPart>[] = [];
  let parts = 0;

  const close = async (part: OpenPart): Promise<void> => {
    open.splice(open.indexOf(part), 1);
    closed.push(part.done);
    await part.names.end();
    await write(part, endOfArchive());
    part.pipe.end();
  };
  const partFor = async (bytes: number): Promise<OpenPart> => {
    const fitting = open.filter(
      (p) => p.payloadBytes === 0 || p.payloadBytes + bytes <= partBytesMax,
    );
    const [least] = [...(fitting.length > 0 ? fitting : open)].sort(byWaiting);
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
      await write(part, encodeHeader(tarHeaderOf(member)));
      for await (const chunk of body) await write(part, chunk);
      const pad = padding(member.bytes);
      if (pad.length > 0) await write(part, pad);
    },
    finish: async () => {
      // Closing takes a part out of the list.
      for (let part = open[0]; part !== undefined; part = open[0]) await close(part);
      return await Promise.all(closed);
    },
    fail: async (error) => {
      for (const part of open) part.pipe.fail(error);
      await Promise.allSettled([...closed, ...open.map((part) => part.done)]);
    },
  };
}

/** A lane that has failed leaves its channel first and says why a moment later: that is awaited. */
async function write(part: OpenPart, chunk: Uint8Array): Promise<void> {
  try {
    await part.pipe.write(chunk);
  } catch (error) {
    await part.done;
    throw error;
  }
}

function byWaiting(a: OpenPart, b: OpenPart): number {
  return a.pipe.buffered() - b.pipe.buffered();
}

function openPart(options: PackOptions, number: number): OpenPart {
  const { backup, lanes, list, bufferBytes, signal } = options;
  const names = list.tar();
  const pipe = channel(bufferBytes, signal);
  const key = `${partitionsFolder(backup)}${partName(number)}`;
  const done = lanes
    .write({ key, source: pipe.source }, { signal })
    .then((receipt) => ({ receipt, names }));
  // A lane that fails makes the next `write` reject, which then asks for the reason.
  done.catch((error: unknown) => pipe.fail(error));
  return { names, pipe, done, payloadBytes: 0 };
}
