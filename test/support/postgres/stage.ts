import { execFileSync } from 'node:child_process';
import { mkdirSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { scratchPath } from './scratch.ts';
import { canServerUserRead } from './server-user.ts';

const staged = new Map<string, string>();

/**
 * A path under which the server's user can read (and execute) the file or directory: `path`
 * itself, or a copy when it lies below a directory closed to others, as a home of mode 0700.
 * What `archive_command` runs must be given through here: `node` and the bundles too.
 */
export function stageForServerUser(path: string): string {
  const real = realpathSync(path);
  if (canServerUserRead(real)) return path;
  const before = staged.get(real);
  if (before !== undefined) return before;
  const folder = scratchPath('stage');
  mkdirSync(folder, { mode: 0o755 });
  const copy = join(folder, basename(path));
  execFileSync('cp', ['-a', real, copy]);
  execFileSync('chmod', ['-R', 'go+rX', copy]);
  staged.set(real, copy);
  return copy;
}
