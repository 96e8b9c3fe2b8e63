import type { CommandDeclaration } from '../command.ts';

/** `tsbk archive-push PATH`, WAL-G's `wal-push`. */
export const archivePush: CommandDeclaration = {
  name: 'archive-push',
  aliases: ['wal-push'],
  group: 'Called by PostgreSQL',
  summary: 'archive one WAL file (archive_command)',
  description: [
    'Stores a WAL file durably. It is checked first: name, size, page header and the cluster it ' +
      'belongs to. A file that is archived already with the same content is a success; one with ' +
      'other content is never replaced.',
    'In postgresql.conf rather use tsbk-archive-push, which does the same and starts faster.',
  ],
  positionals: [{ name: 'PATH', doc: 'The file, %p of archive_command.' }],
  flags: [
    {
      name: 'target-storage',
      value: 'NAME',
      walg: 'refused',
      doc: 'there is one repository.',
    },
  ],
  settings: 'archive-push',
  exits: {
    0: 'The file is in the repository, durably.',
    65: 'The archive holds a file of this name with other content. Nothing was changed.',
  },
  examples: [
    {
      purpose: 'In postgresql.conf',
      line: "archive_command = 'tsbk-archive-push --config /etc/tsbk.yaml %p'",
    },
    { purpose: 'By hand', line: 'tsbk archive-push pg_wal/000000010000000000000042' },
  ],
};
