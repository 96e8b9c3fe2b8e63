import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFor } from './temporary-file.ts';
import type { Ring } from './ring.ts';

/** How processes are told apart: process numbers are used again. */
export interface ProcessIdentity {
  /** This process, as one line of text. */
  readonly mark: string;
  /** Whether the process of a mark is certainly not there any more. */
  readonly isGone: (mark: string) => boolean;
}

/** Whether some process keeps the ring filled, or did a moment ago. */
export async function hasKeeper(ring: Ring, { isGone }: ProcessIdentity): Promise<boolean> {
  const mark = await readFile(pathOf(ring), 'utf8').catch(() => undefined);
  return mark !== undefined && !isGone(mark);
}

/**
 * Makes this process the one that fills the ring until the result is disposed of; `undefined` while
 * another one does. Two of them would do no harm: what both fetch is the same.
 */
export async function becomeKeeper(
  ring: Ring,
  self: ProcessIdentity,
): Promise<AsyncDisposable | undefined> {
  const path = pathOf(ring);
  const own = temporaryFor(path);
  await writeFile(own, self.mark, { mode: 0o600 });
  try {
    for (let tries = 0; tries < 3; tries += 1) {
      if (await linkIfAbsent(own, path)) {
        return { [Symbol.asyncDispose]: () => release(path, self.mark) };
      }
      const mark = await readFile(path, 'utf8').catch(() => undefined);
      if (mark !== undefined && !self.isGone(mark)) return undefined;
      await removeDead(path, self);
    }
    return undefined;
  } finally {
    await rm(own, { force: true });
  }
}

/** A whole mark appears under its name or none: a reader never sees half of one. */
async function linkIfAbsent(own: string, path: string): Promise<boolean> {
  return await link(own, path).then(
    () => true,
    () => false,
  );
}

/** Takes a dead process's mark away: of several that try, a rename lets one, and it looks again. */
async function removeDead(path: string, self: ProcessIdentity): Promise<void> {
  const aside = temporaryFor(path);
  await rename(path, aside).catch(() => undefined);
  const taken = await readFile(aside, 'utf8').catch(() => undefined);
  // Another one has become the keeper in between: it gets its place back, if nobody else has it.
  if (taken !== undefined && !self.isGone(taken)) await linkIfAbsent(aside, path);
  await rm(aside, { force: true });
}

async function release(path: string, mark: string): Promise<void> {
  const held = await readFile(path, 'utf8').catch(() => undefined);
  if (held === mark) await rm(path, { force: true }).catch(() => undefined);
}

function pathOf({ folder }: Ring): string {
  return join(folder, 'prefetcher');
}
