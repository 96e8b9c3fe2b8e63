import type { FileHandle } from 'node:fs/promises';
import { messageOf, TsbkError } from '../kernel/errors.ts';
import { openNameless } from './nameless-file.ts';

/**
 * A temporary file without a name, made when something is written to it first: nothing is left of it,
 * however the run ends. Several calls may be under way at once.
 */
export interface ScratchFile extends AsyncDisposable {
  /** Writes all of the bytes there. Throws `scratch-failed`. */
  write(bytes: Uint8Array, at: number): Promise<void>;
  /** Fills `out` from there on. Throws `scratch-failed`. */
  read(out: Uint8Array, at: number): Promise<void>;
}

/** In `directory`. `holds` is a sentence on what lies in it, for the hint of an error. */
export function scratchFile(directory: string, holds: string): ScratchFile {
  let opened: Promise<FileHandle> | undefined;
  const attempt = async (
    what: 'write' | 'read',
    work: (file: FileHandle) => Promise<void>,
  ): Promise<void> => {
    try {
      opened ??= openNameless(directory);
      await work(await opened);
    } catch (error) {
      throw new TsbkError(
        'scratch-failed',
        `cannot ${what} a temporary file in ${directory}: ${messageOf(error)}`,
        {
          hint: `${holds} Free some space there, or name another directory (TSBK_SCRATCH_DIRECTORY).`,
          cause: error,
        },
      );
    }
  };
  return {
    write: (bytes, at) =>
      attempt('write', async (file) => {
        for (let done = 0; done < bytes.length;) {
          done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
        }
      }),
    read: (out, at) =>
      attempt('read', async (file) => {
        for (let got = 0; got < out.length;) {
          const { bytesRead } = await file.read(out, got, out.length - got, at + got);
          if (bytesRead === 0) throw new Error('the file is shorter than what was written');
          got += bytesRead;
        }
      }),
    [Symbol.asyncDispose]: async () => {
      const file = await opened?.catch(() => undefined);
      opened = undefined;
      // Nothing that is still wanted lies in it: this must not fail a run that has succeeded.
      await file?.close().catch(() => undefined);
    },
  };
}
