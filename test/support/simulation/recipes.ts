import { tarHeaderOf } from '@tsbk/core/backup/canonical';
import { encodeHeader, endOfArchive, padding } from '@tsbk/core/format/tar/write';
import type { ByteSource } from '@tsbk/core/ports/bytes';
import type { Lanes } from '@tsbk/core/ports/lanes';
import { pipe } from '@tsbk/core/stream/source';
import type { Codec } from '@tsbk/core/ports/codec';
import type { SimulatedCluster } from './cluster.ts';

/** Which members went into which part, in eight bytes a member, so that the part can be made again. */
export class Recipes {
  readonly #cluster: SimulatedCluster;
  /** By key without extension. A number stands for a data file, a name for any other member. */
  readonly #parts = new Map<string, { members: (number | string)[]; rootHeader: Uint8Array }>();

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster;
  }

  /** Lanes that write down what passes. */
  recording(lanes: Lanes): Lanes {
    return {
      ...lanes,
      open: (key, options) => {
        const writer = lanes.open(key, options);
        const see = this.#recorder(key);
        return {
          ...writer,
          write: (chunk) => {
            see(chunk);
            return writer.write(chunk);
          },
        };
      },
    };
  }

  /** The stored bytes of a part. */
  remake(key: string, codec: Codec): ByteSource {
    const base = codec.extension === '' ? key : key.slice(0, -codec.extension.length - 1);
    if (codec.compress === undefined) throw new TypeError(`${codec.name} cannot be written`);
    return pipe(this.#tar(base), codec.compress);
  }

  async *#tar(key: string): ByteSource {
    const { members, rootHeader } = this.#parts.get(key) ?? { members: [], rootHeader: undefined };
    for (const which of members) {
      if (which === '/' && rootHeader !== undefined) {
        yield new Uint8Array(rootHeader);
        continue;
      }
      const member =
        typeof which === 'number' ? this.#cluster.file(which) : this.#cluster.member(which);
      yield encodeHeader(tarHeaderOf(member));
      yield* this.#cluster.body(member);
      const pad = padding(member.bytes);
      if (pad.length > 0) yield pad;
    }
    yield endOfArchive();
  }

  /** The packer gives each header as a chunk of its own. */
  #recorder(key: string): (chunk: Uint8Array) => void {
    const recipe = { members: [] as (number | string)[], rootHeader: new Uint8Array() };
    this.#parts.set(key, recipe);
    let left = 0;
    return (chunk) => {
      if (left > 0) left -= chunk.length;
      else if (chunk[0] !== 0) {
        const header = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
        const name = header.toString('latin1', 0, header.indexOf(0));
        recipe.members.push(this.#cluster.numberOf(name) ?? name);
        if (name === '/') recipe.rootHeader = new Uint8Array(chunk);
        const bytes = Number.parseInt(header.toString('latin1', 124, 135), 8);
        left = bytes + padding(bytes).length;
      }
    };
  }
}
