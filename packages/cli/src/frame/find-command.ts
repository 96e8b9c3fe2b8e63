import { settingFlag } from '@tsbk/core/settings/settings-flag';
import type { CommandDeclaration } from '../command.ts';
import { COMMAND_GROUPS, requireCommand } from '../commands.ts';

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
  const index = commandIndex(args, 0);
  const word = index === undefined ? undefined : args[index];
  if (index === undefined || word === undefined) return withoutCommand(args);
  const rest = args.toSpliced(index, 1);
  if (!COMMAND_GROUPS.has(word)) return { command: requireCommand(word), invokedAs: word, rest };
  const next = commandIndex(rest, index);
  if (next === undefined) return withoutCommand(rest);
  const name = `${word} ${rest[next]}`;
  return { command: requireCommand(name), invokedAs: name, rest: rest.toSpliced(next, 1) };
}

/** Where the first word from `from` on is that is neither an option nor its value. */
function commandIndex(args: readonly string[], from: number): number | undefined {
  for (let index = from; index < args.length; index += 1) {
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
