import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SystemId } from '../kernel/system-id.ts';
import { parseControlFile } from '../format/control-file.ts';

/**
 * The system identifier of the data directory at `path`, by its `pg_control`. `undefined` when the
 * file cannot be read or is torn (the server may be writing it): then nothing is known.
 */
export async function systemIdOfDataDirectory(path: string): Promise<SystemId | undefined> {
  try {
    return parseControlFile(await readFile(join(path, 'global', 'pg_control'))).systemId;
  } catch {
    return undefined;
  }
}
