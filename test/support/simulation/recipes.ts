import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tarHeaderOf } from '@tsbk/core/repository/new-backup/canonical';
import { encodeHeader, endOfArchive, padding } from '@tsbk/core/format/tar/write';
import type { ByteSource } from '@tsbk/core/ports/bytes';
import type { LaneWriter, Lanes } from '@tsbk/core/ports/lanes';
import { pipe } from '@tsbk/core/stream/source';
import type { Codec } from '@tsbk/core/ports/codec';
import type { SimulatedCluster } from './cluster.ts';

/**
 * Which members went into which part, so that the part can be made again, by whatever thread. They
 * lie in files: what a simulation remembers must not look as if tsbk did.
 */
export class Recipes {
  readonly #cluster: SimulatedCluster;
  readonly #directory: string;

  constructor(cluster: SimulatedCluster, directory: string) {
    this.#cluster = cluster;
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
  }

  /** Lanes that write down what passes, and call `onStored` for each part that is complete. */
  recording(lanes: Lanes, onStored: (key: string, bytes: number) => void): Lanes {
    return {
      ...lanes,
      open: (key, options) => {
        const recorder = new Recorder(this.#cluster);
        const writer = lanes.open(key, options);
        return recorded(writer, recorder, (stored, bytes) => {
          const recipe: Recipe = { bytes, ...recorder.recipe() };
          writeFileSync(this.#path(stored), JSON.stringify(recipe));
          onStored(stored, bytes);
        });
      },
    };
  }

  /** How many bytes of a part are stored. */
  storedBytes(key: string): number {
    return this.#read(key).bytes;
  }

  /** The stored bytes of a part. */
  remake(key: string, codec: Codec): ByteSource {
    if (codec.compress === undefined) throw new TypeError(`${codec.name} cannot be written`);
    return pipe(this.#tar(this.#read(key)), codec.compress);
  }

  async *#tar({ members, rootHeader }: Recipe): ByteSource {
    for (const which of members) {
      if (which === '/') {
        yield new Uint8Array(Buffer.from(rootHeader, 'base64'));
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

  #read(key: string): Recipe {
    return JSON.parse(readFileSync(this.#path(key), 'utf8')) as Recipe;
  }

  #path(key: string): string {
    return join(this.#directory, key.replaceAll('/', '_'));
  }
}

interface Recipe {
  /** As stored. */
  readonly bytes: number;
  /** A number stands for a data file, a name for any other member. */
  readonly members: readonly (number | string)[];
  /** Base64. */
  readonly rootHeader: string;
}

function recorded(
  writer: LaneWriter,
  recorder: Recorder,
  onStored: (key: string, bytes: number) => void,
): LaneWriter {
  return {
    waiting: () => writer.waiting(),
    write: (chunk) => {
      recorder.see(chunk);
      return writer.write(chunk);
    },
    end: async () => {
      const receipt = await writer.end();
      onStored(receipt.key, receipt.stored.bytes);
      return receipt;
    },
    fail: (error) => writer.fail(error),
  };
}

/** Reads the headers that pass: the packer gives each as a chunk of its own. */
class Recorder {
  readonly #cluster: SimulatedCluster;
  readonly #members: (number | string)[] = [];
  #rootHeader = '';
  #left = 0;

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster;
  }

  see(chunk: Uint8Array): void {
    if (this.#left > 0) {
      this.#left -= chunk.length;
      return;
    }
    if (chunk[0] === 0) return;
    const header = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    const name = header.toString('latin1', 0, header.indexOf(0));
    this.#members.push(this.#cluster.numberOf(name) ?? name);
    if (name === '/') this.#rootHeader = header.toString('base64');
    const bytes = Number.parseInt(header.toString('latin1', 124, 135), 8);
    this.#left = bytes + padding(bytes).length;
  }

  recipe(): Pick<Recipe, 'members' | 'rootHeader'> {
    return { members: this.#members, rootHeader: this.#rootHeader };
  }
}
