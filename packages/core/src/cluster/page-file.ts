import { fchmodSync, ftruncateSync, writeSync } from 'node:fs';
import type { LateSync } from './late-sync.ts';
import { writeFailed } from './write-failed.ts';

/** An open file that is filled here and there. `close` or `abandon` must end it. */
export class PageFile {
  readonly #fd: number;
  readonly #name: string;
  readonly #late: LateSync;
  #isOpen = true;

  constructor(fd: number, { name, late }: { readonly name: string; readonly late: LateSync }) {
    this.#fd = fd;
    this.#name = name;
    this.#late = late;
  }

  /** Gives it mode and length. What fails closes it. */
  shape(mode: number, bytes: number): void {
    try {
      fchmodSync(this.#fd, mode);
      ftruncateSync(this.#fd, bytes);
    } catch (error) {
      this.abandon();
      throw writeFailed(this.#name, error);
    }
  }

  /** By blocking calls, as whole files are written: what they wait for is room in memory. */
  write(chunk: Uint8Array, position: number): void {
    try {
      for (let at = 0; at < chunk.length;) {
        at += writeSync(this.#fd, chunk, at, chunk.length - at, position + at);
      }
    } catch (error) {
      throw writeFailed(this.#name, error);
    }
    this.#late.wrote(this.#fd, chunk.length, this.#name);
  }

  /** One that is not complete will be opened again: it is flushed when it is. */
  async close({ isComplete }: { readonly isComplete: boolean }): Promise<void> {
    if (!isComplete) return this.abandon();
    this.#isOpen = false;
    await this.#late.close(this.#fd, this.#name);
  }

  /** Closes it if nothing else has. */
  abandon(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#late.drop(this.#fd, this.#name);
  }
}
