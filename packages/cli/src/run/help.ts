import { EXIT } from '@tsbk/core/kernel/exit';
import type { CommandContext } from '../command.ts';
import { COMMANDS, requireCommand } from '../commands.ts';
import { commandHelp } from '../help/command-help.ts';
import { overview } from '../help/overview.ts';

/** `tsbk help [COMMAND [VERB]]` */
export function runHelp({ positionals, out }: CommandContext): number {
  const name = positionals.join(' ');
  out(name === '' ? overview(COMMANDS) : commandHelp(requireCommand(name)));
  return EXIT.ok;
}
