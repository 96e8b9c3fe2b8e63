import { JSON_FLAG, type CommandDeclaration } from '../command.ts';

/** `tsbk backup-show NAME` */
export const backupShow: CommandDeclaration = {
  name: 'backup-show',
  aliases: [],
  group: 'Backups',
  summary: 'show everything that is recorded of one backup',
  description: [
    'Shows times, sizes, server version, WAL range, tablespaces, user data and parts of a backup, ' +
      'what a delta builds on, what a merged backup was made of, and whether the WAL it needs is in the archive.',
  ],
  positionals: [{ name: 'NAME', doc: 'Name of the backup, or LATEST.' }],
  flags: [JSON_FLAG],
  settings: 'backup-show',
  examples: [{ purpose: 'The newest backup', line: 'tsbk backup-show LATEST' }],
};
