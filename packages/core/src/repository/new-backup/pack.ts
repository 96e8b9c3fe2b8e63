import type { SourceMember } from '../../ports/backup-source.ts';
import type { ByteSource } from '../../ports/bytes.ts';
import { encodeHeader, padding } from '../../format/tar/write.ts';
import { tarHeaderOf, tarNameOf } from './canonical.ts';
import { OpenParts, type PackedPart, type PartsOptions } from './open-parts.ts';

export interface Packer {
  /** Puts a member, header and body, into one of the open parts. */
  add(member: SourceMember, body: ByteSource): Promise<void>;
  /** Closes all parts and waits until every object is stored. */
  finish(): Promise<readonly PackedPart[]>;
  /** Ends all parts with `error`, and waits until nothing of them is under way. Never throws. */
  fail(error: unknown): Promise<void>;
}

/**
 * Distributes members over as many open parts as there are lanes, once there is enough for them; what
 * fits goes to the small lane first, if there is one. A member goes whole to the part with the least
 * waiting in front of it, so that all lanes have work although the members come one after the other.
 */
export function packer(options: PartsOptions): Packer {
  const parts = new OpenParts(options);
  return {
    add: async (member, body) => {
      const part = await parts.partFor(member.bytes);
      await part.names.add(tarNameOf(member));
      part.payloadBytes += member.bytes;
      await part.writer.write(encodeHeader(tarHeaderOf(member)));
      for await (const chunk of body) await part.writer.write(chunk);
      const pad = padding(member.bytes);
      if (pad.length > 0) await part.writer.write(pad);
    },
    finish: () => parts.finish(),
    fail: (error) => parts.fail(error),
  };
}
