import { JSON_FLAG, type CommandDeclaration } from '../command.ts';

/** `tsbk version` */
export const version: CommandDeclaration = {
  name: 'version',
  aliases: [],
  group: 'Looking after it',
  summary: 'print version and build',
  description: ['The same as --version.'],
  positionals: [],
  flags: [JSON_FLAG],
  settings: 'none',
  examples: [{ purpose: 'For a bug report', line: 'tsbk version' }],
};
