import { EXIT } from '@tsbk/core/kernel/exit';
import { BUILD } from '../build-info.ts';
import type { CommandContext } from '../command.ts';

/** `tsbk version` */
export function runVersion({ flags, out }: CommandContext): number {
  const { version } = BUILD;
  const runtime = `Node.js ${process.versions.node}`;
  out(
    flags.on('json') === true
      ? JSON.stringify({ version, runtime })
      : `tsbk ${version}, ${runtime}`,
  );
  return EXIT.ok;
}
