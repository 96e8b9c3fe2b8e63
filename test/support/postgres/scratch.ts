import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canServerUserRead, giveToServerUser } from './server-user.ts';

let root: string | undefined;
let counter = 0;
const endings: (() => void)[] = [];

/**
 * A new directory name below this process's scratch directory, which is made on first use,
 * lets the server's user pass through, and is removed when the process ends.
 */
export function scratchPath(kind: string): string {
  counter += 1;
  return join(scratchRoot(), `${kind}${counter}`);
}

/** Like `scratchPath`, but the server's user may make it: its parent belongs to that user. */
export function scratchPathForServerUser(kind: string): string {
  const parent = scratchPath('for-server');
  mkdirSync(parent, { mode: 0o755 });
  giveToServerUser(parent);
  return join(parent, kind);
}

/** Registers what must happen when the process ends, whatever a test forgot to close. */
export function atExit(ending: () => void): void {
  if (endings.length === 0) listen();
  endings.push(ending);
}

function scratchRoot(): string {
  if (root === undefined) {
    // A socket's path may have 107 bytes; and a private TMPDIR may be closed to the server's user.
    const usable = tmpdir().length <= 60 && canServerUserRead(tmpdir());
    const made = mkdtempSync(join(usable ? tmpdir() : '/tmp', 'tsbk-'));
    chmodSync(made, 0o755);
    atExit(() => rmSync(made, { recursive: true, force: true }));
    root = made;
  }
  return root;
}

function listen(): void {
  process.on('exit', () => {
    for (const ending of endings.reverse()) ending();
  });
  // Without a handler of its own a signal ends the process with no `exit` event.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => process.exit(1));
  }
}
