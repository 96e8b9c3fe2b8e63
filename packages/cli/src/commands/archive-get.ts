import type { CommandDeclaration } from '../command.ts';

/** `tsbk archive-get NAME DEST`, WAL-G's `wal-fetch`. */
export const archiveGet: CommandDeclaration = {
  name: 'archive-get',
  aliases: ['wal-fetch'],
  group: 'Called by PostgreSQL',
  summary: 'fetch one WAL file (restore_command)',
  description: [
    'Puts a WAL file in place, whole and verified. Its exit code is an answer that PostgreSQL acts ' +
      'on: up to 125 means "there is no such file", so that recovery ends and the server opens. ' +
      'Therefore everything but proven absence answers 200, which stops recovery; on a standby, ' +
      'which asks again by itself, 75.',
    'In postgresql.conf rather use tsbk-archive-get, which does the same and starts faster.',
  ],
  positionals: [
    { name: 'NAME', doc: 'Name of the file, %f of restore_command.' },
    { name: 'DEST', doc: 'Where it must be afterwards, %p of restore_command.' },
  ],
  flags: [
    {
      name: 'target-storage',
      value: 'NAME',
      walg: 'refused',
      doc: 'there is one repository.',
    },
  ],
  settings: 'archive-get',
  exits: {
    0: 'The file is in place, whole and verified.',
    1: 'The repository answered, and the file is not in it; of a segment, its timeline ends there.',
    74: 'The same under the name wal-fetch, as WAL-G has it.',
    75: 'It could not be found out, and the data directory is a standby’s: ask again.',
    200: 'It could not be found out, or is missing in the middle: recovery must not end there.',
  },
  examples: [
    {
      purpose: 'In postgresql.conf',
      line: "restore_command = 'tsbk-archive-get --config /etc/tsbk.yaml %f %p'",
    },
    { purpose: 'By hand', line: 'tsbk archive-get 000000010000000000000042 /srv/look/at-it' },
  ],
};
