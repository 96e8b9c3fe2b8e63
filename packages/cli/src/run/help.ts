import { EXIT } from '@tsbk/core/kernel/exit';
import type { CommandContext } from '../command.ts';
import { COMMANDS, requireCommand } from '../commands.ts';
import { commandHelp } from '../help/command-help.ts';
import { overview } from '../help/overview.ts';

/** `tsbk help [COMMAND]` */
export function runHelp({ positionals, out }: CommandContext): number {
  const [name] = positionals;
  out(name === undefined ? overview(COMMANDS) : commandHelp(requireCommand(name)));
  return EXIT.ok;
}
