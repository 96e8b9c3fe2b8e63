import { TsbkError } from '../kernel/errors.ts';
import { NameIndexBuilder, numberOf } from '../kernel/name-index.ts';
import { crc32c, crc32cHex } from '../format/crc32c.ts';
import { incrementalTarget } from '../format/increment/pg-incremental.ts';
import { ManifestParser } from '../format/manifest-parser.ts';
import type { ManifestFile } from '../format/manifest.ts';
import type { ByteSource, ByteStage } from '../ports/bytes.ts';

/**
 * Lengths and checksums of the incremental files that a server sent, to be held against its manifest.
 * What is stored of them has another form, so that no restore could find out that something changed
 * on the way here. Keeps some thirty bytes of each.
 */
export class IncrementsSent {
  readonly #names = new NameIndexBuilder();
  #facts = new Uint32Array(2 * 1024);
  #listed = 0;

  /** The member's bytes, summed as they pass; counts when they have ended. */
  summing(path: string, source: ByteSource): ByteSource {
    return this.#summed(path, source);
  }

  /**
   * The manifest as it passes: every incremental file in it must have come as it says, and none
   * beside. Throws `protocol-violation` at the end, `record-invalid` for what is no manifest.
   */
  checking(what: string): ByteStage {
    const parser = new ManifestParser({ what, onFile: (file) => this.#compare(file) });
    const requireAll = (): void => {
      if (this.#listed !== this.#names.index().count) {
        throw differs('an incremental file is not in the manifest');
      }
    };
    return async function* (source) {
      for await (const chunk of source) {
        parser.push(chunk);
        yield chunk;
      }
      parser.end();
      requireAll();
    };
  }

  async *#summed(path: string, source: ByteSource): ByteSource {
    let crc = 0;
    let bytes = 0;
    for await (const chunk of source) {
      crc = crc32c(chunk, crc);
      bytes += chunk.length;
      yield chunk;
    }
    const at = 2 * this.#names.add(path);
    if (at >= this.#facts.length) {
      const facts = new Uint32Array(2 * this.#facts.length);
      facts.set(this.#facts);
      this.#facts = facts;
    }
    this.#facts.set([bytes, crc], at);
  }

  #compare({ path, bytes, checksum }: ManifestFile): void {
    if (incrementalTarget(path) === undefined) return;
    const number = numberOf(this.#names.index(), path);
    if (number === undefined) throw differs(`${path} is in the manifest and did not come`);
    this.#listed += 1;
    const [length, crc = 0] = this.#facts.subarray(2 * number, 2 * number + 2);
    if (length !== bytes || crc32cHex(crc) !== checksum) {
      throw differs(`${path} is not what its manifest says`);
    }
  }
}

function differs(problem: string): TsbkError {
  return new TsbkError('protocol-violation', `the server's incremental backup: ${problem}`, {
    hint: 'Something between tsbk and PostgreSQL alters the stream. Nothing of the backup is used.',
  });
}
