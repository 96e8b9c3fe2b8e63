import type { DataDirectory } from '../cluster/data-directory.ts';
import { parseControlFile, type ControlFile } from '../format/control-file.ts';
import { isTsbkError, TsbkError } from '../kernel/errors.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import type { SourceMember } from '../ports/backup-source.ts';
import type { Clock } from '../ports/clock.ts';
import { sourceMember } from './source-member.ts';

/** `pg_control` as it was at one moment, whole. */
export interface ControlCopy {
  readonly control: ControlFile;
  readonly member: SourceMember;
  readonly bytes: Uint8Array;
}

const PATH = 'global/pg_control' as TreePath;
/** It has 8 KiB; only its first 512 bytes carry data. */
const BYTES_MAX = 64 * 1024;
/** The server writes it in one call, but a reader may see half of that on some file systems. */
const ATTEMPTS = 20;
const PAUSE_MS = 50;

/**
 * Reads `pg_control` until its checksum is right. Throws `control-file-invalid` if it never is, or
 * if the file is not there.
 */
export async function readControlFile(
  directory: DataDirectory,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<ControlCopy> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return readOnce(directory);
    } catch (error) {
      if (!isTsbkError(error, 'control-file-invalid') || attempt === ATTEMPTS) throw error;
    }
    await clock.sleep(PAUSE_MS, { signal });
  }
}

function readOnce(directory: DataDirectory): ControlCopy {
  using file = directory.open(PATH);
  if (file === undefined) {
    throw new TsbkError('control-file-invalid', 'the data directory has no global/pg_control', {
      hint: 'Check that this is the data directory of a running server.',
    });
  }
  const bytes = Buffer.alloc(Math.min(file.bytes, BYTES_MAX));
  const got = file.read(bytes, 0);
  const whole = bytes.subarray(0, got);
  const control = parseControlFile(whole);
  return {
    control,
    member: sourceMember('file', PATH, { ...file.facts, bytes: whole.length }),
    bytes: whole,
  };
}
