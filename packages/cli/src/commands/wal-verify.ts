import { JSON_FLAG, type CommandDeclaration } from '../command.ts';

/** `tsbk wal-verify [CHECK…]` */
export const walVerify: CommandDeclaration = {
  name: 'wal-verify',
  aliases: [],
  group: 'Looking after it',
  summary: 'find gaps in the archived WAL, and fill them',
  description: [
    '`integrity` looks for every segment from the oldest backup to what the server writes now; ' +
      '`timeline` whether the server is on the newest timeline of the archive. Both are checked ' +
      'if none is named. Table, lines and JSON are those of WAL-G, but a FAILURE also ends with ' +
      'exit code 1. Segments of a timeline that has ended are never counted as being uploaded.',
    'The server is asked where it is. Without one the end of the archive is taken, and said.',
    '--heal fetches what is missing: from pg_wal of the data directory on this machine (--from, ' +
      'PGDATA), or through the connection to the server, a primary or a standby, which needs the ' +
      'right to execute pg_read_binary_file. A segment is stored only if it proves itself: it is of ' +
      'this cluster, its records continue those of the archive without a break, every checksum is ' +
      'right, and the server has finished it.',
  ],
  positionals: [
    {
      name: 'CHECK',
      optional: true,
      repeatable: true,
      doc: '`integrity` or `timeline`; both if none is named.',
    },
  ],
  flags: [
    JSON_FLAG,
    {
      name: 'backup-name',
      value: 'NAME',
      doc: 'Begin with this backup instead of the oldest one that is not permanent.',
    },
    {
      name: 'timeline',
      value: 'NUMBER',
      doc: 'The timeline to check, with --lsn; the server is not asked then.',
    },
    { name: 'lsn', value: 'LSN', doc: 'Where the server is, with --timeline.' },
    {
      name: 'content',
      doc: 'Read every segment of the range: decrypt, decompress, check each record.',
    },
    { name: 'heal', doc: 'Store what is missing, if a proven copy can be had.' },
    { name: 'plan', doc: 'With --heal: only say what would be stored.' },
    {
      name: 'from',
      value: 'DIR',
      doc: 'With --heal: a pg_wal directory, or a data directory, to take segments from.',
    },
  ],
  settings: 'wal-verify',
  exits: {
    0: 'Nothing is lost. What is missing is delayed or being uploaded (WARNING).',
    1: 'A check has the status FAILURE, or --heal could not fill every gap.',
  },
  examples: [
    { purpose: 'Every hour', line: 'tsbk wal-verify integrity timeline' },
    { purpose: 'After a failover, on the new primary', line: 'tsbk wal-verify --heal' },
    { purpose: 'Every month', line: 'tsbk wal-verify integrity --content' },
  ],
};
