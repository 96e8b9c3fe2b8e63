import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Clock } from '@tsbk/core/ports/clock';
import { instantToMs } from '@tsbk/core/kernel/instant';

/** What tells a file from every other one, and from what it was before it was written to. */
export type FileIdentity = string;

/**
 * File systems tell the time of a change in steps. Only a file that has been left alone for longer than
 * such a step, and than clocks of a network file system differ, cannot be written to without showing it.
 */
const SETTLED_MS = 1000;

/** The identity of a file that has been left alone; `undefined` for one that is gone or too fresh. */
export async function settledIdentity(
  path: string,
  clock: Clock,
): Promise<FileIdentity | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  if (found === undefined || !found.isFile()) return undefined;
  const ageMs = instantToMs(clock.now()) - Number(found.ctimeMs);
  return ageMs < SETTLED_MS ? undefined : identityOf(found);
}

function identityOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): FileIdentity {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}
