import { JSON_FLAG, type CommandDeclaration } from '../command.ts';

/** `tsbk check` */
export const check: CommandDeclaration = {
  name: 'check',
  aliases: [],
  group: 'Looking after it',
  summary: 'find out whether backups and archiving will work',
  description: [
    'Tries what the other commands will need: reading and conditional writing in the repository, ' +
      'the key, the connection to PostgreSQL and its privileges, archive_mode and ' +
      'archive_command, the state of the archiver, whether the archive has gaps since the newest ' +
      'backup. Everything that must be mended is printed with ' +
      'what to do about it.',
  ],
  positionals: [],
  flags: [JSON_FLAG],
  settings: 'check',
  exits: { 0: 'Everything is in order.', 1: 'Something must be mended.' },
  examples: [{ purpose: 'After setting up', line: 'tsbk check' }],
};
