import { JSON_FLAG, type CommandDeclaration } from '../command.ts';

/** `tsbk backup-list` */
export const backupList: CommandDeclaration = {
  name: 'backup-list',
  aliases: [],
  group: 'Backups',
  summary: 'list the backups of the repository',
  description: [
    'Lists complete backups, oldest first. Text has the columns of WAL-G, JSON its keys; 64-bit ' +
      'numbers in JSON are numbers, as WAL-G prints them.',
    'What `backup-merge` made is told with --detail: by a last column, which is there only then, with the ' +
      'number of backups that it was made of, and in JSON by their names (`merged`).',
  ],
  positionals: [],
  flags: [
    { name: 'pretty', doc: 'Draw a table, or indent the JSON.' },
    { name: 'detail', doc: 'Add times, host, data directory, version and WAL positions.' },
    JSON_FLAG,
  ],
  settings: 'backup-list',
  examples: [
    { purpose: 'What is there', line: 'tsbk backup-list --pretty' },
    {
      purpose: 'The name of the newest backup, for a script',
      line: "tsbk backup-list --json | jq -r 'last.backup_name'",
    },
  ],
};
