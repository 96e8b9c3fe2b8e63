import type { CommandDeclaration } from '../command.ts';

/** `tsbk help [COMMAND [VERB]]` */
export const help: CommandDeclaration = {
  name: 'help',
  aliases: [],
  group: 'Looking after it',
  summary: 'explain a command',
  description: ['The same as --help after the command.'],
  positionals: [
    { name: 'COMMAND', optional: true, doc: 'Which one. Without it, all are listed.' },
    { name: 'VERB', optional: true, doc: 'The second word of a command of two.' },
  ],
  flags: [],
  settings: 'none',
  examples: [{ purpose: 'How to restore', line: 'tsbk help backup-fetch' }],
};
