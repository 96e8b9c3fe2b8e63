import type { RunOptions } from '../repository/repository.ts';
import { findWal } from '../repository/wal-archive.ts';
import type { ReceiveContext } from './context.ts';

const LOOK_MS = 60_000;

/**
 * Looks again and again for segments that were missing: `archive_command` may have been behind, or
 * somebody has brought them. Ends when the signal aborts, with its reason.
 */
export async function watchMissing(
  { repository, status, clock, report }: ReceiveContext,
  { signal }: RunOptions,
): Promise<void> {
  for (;;) {
    await clock.sleep(LOOK_MS, { signal });
    for (const name of status.missing) {
      // What the store does not answer is asked again next time.
      const found = await findWal(repository, name, { signal }).catch(() => undefined);
      if (found === undefined) continue;
      status.missing = status.missing.filter((other) => other !== name);
      report({ kind: 'info', text: `${name} is in the archive now` });
    }
  }
}
