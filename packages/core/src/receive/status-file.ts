import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { ReceiveContext } from './context.ts';
import { formatStatus } from './status.ts';

/** In the state directory of the server, where its other commands look for it. */
export const STATUS_FILE = 'receive.json';

const PERIOD_MS = 1000;

/**
 * Rewrites the status about each second until the signal aborts, and once more then. A file that
 * cannot be written is told of once: it serves nobody but those who watch.
 */
export async function keepStatusFile(
  path: string,
  context: Pick<ReceiveContext, 'status' | 'clock' | 'report'>,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  const { status, clock, report } = context;
  let isBroken = false;
  const write = async (): Promise<void> => {
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const temporary = `${path}.new`;
      await writeFile(temporary, formatStatus(status, clock.now()), { mode: 0o644 });
      await rename(temporary, path);
      isBroken = false;
    } catch (error) {
      if (!isBroken)
        report({ kind: 'warning', code: 'status-file', text: `${path}: ${String(error)}` });
      isBroken = true;
    }
  };
  while (!signal.aborted) {
    await write();
    await clock.sleep(PERIOD_MS, { signal }).catch(() => undefined);
  }
  await write();
}
