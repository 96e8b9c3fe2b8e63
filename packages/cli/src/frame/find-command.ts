import { settingFlag } from '@tsbk/core/settings/settings-flag';
import type { CommandDeclaration } from '../command.ts';
import { requireCommand } from '../commands.ts';

/** Which command a command line asks for, and the arguments that are left for it. */
export interface FoundCommand {
  readonly command: CommandDeclaration;
  /** The name or alias that was typed. */
  readonly invokedAs: string;
  readonly rest: readonly string[];
}

/**
 * Finds the command: the first argument that is neither an option nor an option's value. Options
 * that set settings may stand before it, as with WAL-G. No command at all asks for help. Throws
 * `usage` with the nearest command for a name that is none.
 */
export function findCommand(args: readonly string[]): FoundCommand {
  const index = commandIndex(args);
  const word = index === undefined ? undefined : args[index];
  if (index === undefined || word === undefined) return withoutCommand(args);
  return { command: requireCommand(word), invokedAs: word, rest: args.toSpliced(index, 1) };
}

function commandIndex(args: readonly string[]): number | undefined {
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] ?? '';
    if (!arg.startsWith('-')) return index;
    const takesNext = arg.startsWith('--') && settingFlag(arg.slice(2)) === 'value';
    if (takesNext) index += 1;
  }
  return undefined;
}

function withoutCommand(args: readonly string[]): FoundCommand {
  const asksForVersion = args.includes('--version') || args.includes('-v');
  const name = asksForVersion ? 'version' : 'help';
  const rest = args.filter((arg) => !['--version', '-v', '--help', '-h'].includes(arg));
  return { command: requireCommand(name), invokedAs: name, rest };
}
