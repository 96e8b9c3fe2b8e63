import { JSON_FLAG, type CommandDeclaration } from '../command.ts';

/** `tsbk wal-show` */
export const walShow: CommandDeclaration = {
  name: 'wal-show',
  aliases: [],
  group: 'Looking after it',
  summary: 'show the archived WAL by timeline, its gaps, and what can be restored',
  description: [
    'Shows each timeline of the archive: where it comes from, its first and last segment, how many ' +
      'there are and whether one is missing between them. Below the table it says in words to which ' +
      'moments the cluster can be restored, and what a gap cuts off.',
    'The table and --detailed-json are those of WAL-G; --json adds what can be restored.',
  ],
  positionals: [],
  flags: [
    {
      name: 'detailed-json',
      doc: 'Print the JSON that WAL-G prints, the names of all missing segments included.',
    },
    {
      name: 'without-backups',
      doc: 'Leave the backups out, and with them what can be restored.',
    },
    JSON_FLAG,
  ],
  settings: 'wal-show',
  examples: [
    { purpose: 'What is archived', line: 'tsbk wal-show' },
    {
      purpose: 'The missing segments, for a script',
      line: "tsbk wal-show --detailed-json | jq -r '.[].missing_segments[]'",
    },
  ],
};
