import { COMMANDS } from '../../packages/cli/src/commands.ts';
import { commandHelp, flagTerm } from '../../packages/cli/src/help/command-help.ts';
import type { CommandDeclaration } from '../../packages/cli/src/command.ts';
import { code, page, table } from './markdown.ts';

/** docs/commands.md */
export function commandsPage(): string {
  return page('packages/cli/src/commands', [
    '# Commands',
    'What `tsbk COMMAND --help` prints, for all commands. Results go to standard output, messages to\nstandard error. Exit codes are explained in [errors.md](errors.md), settings in\n[settings.md](settings.md).',
    table(
      ['command', 'what it does'],
      COMMANDS.map(({ name, summary }) => [
        `[${name}](#tsbk-${name.replaceAll(' ', '-')})`,
        summary,
      ]),
    ),
    ...COMMANDS.flatMap(section),
  ]);
}

function section(command: CommandDeclaration): readonly string[] {
  const fromWalg = command.flags.filter(({ walg }) => walg !== undefined);
  const title = `## tsbk ${command.name}`;
  const help = `\`\`\`text\n${commandHelp(command)}\`\`\``;
  if (fromWalg.length === 0) return [title, help];
  return [
    title,
    help,
    'Options of WAL-G that are understood besides:',
    table(
      ['option', 'answer'],
      fromWalg.map((flag) => [
        code(flagTerm(flag)),
        `${flag.walg === 'refused' ? 'refused' : 'changes nothing'}: ${flag.doc}`,
      ]),
    ),
  ];
}
