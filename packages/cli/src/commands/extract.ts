import { JSON_FLAG, type CommandDeclaration } from '../command.ts';
import { TARGET_FLAGS } from './target-flags.ts';

/** `tsbk extract` */
export const extract: CommandDeclaration = {
  name: 'extract',
  aliases: [],
  group: 'Backups',
  summary: 'take tables out of a backup, as they were at a moment',
  description: [
    'Restores what is needed into a throwaway directory, recovers it to the target with a server of ' +
      'its own, lets pg_dump write the wanted objects to a file, and removes everything else. The ' +
      'server that was backed up is not asked and not touched.',
    'It takes the programs of PostgreSQL (postgres and pg_dump) in the major version of the backup, ' +
      'and space for the files: those of the named tables and of the system catalogs where tsbk has ' +
      'recorded what belongs to a table and the names have not changed since, else those of the ' +
      'databases, else all. --plan says which.',
    'The throwaway server cannot be reached but by a socket that only its user may open. It neither ' +
      'archives nor replicates, and starts no job of any extension. See docs/extract.md.',
  ],
  positionals: [
    {
      name: 'NAME',
      optional: true,
      doc: 'Backup to begin with, or LATEST (the default): the newest one from which the target can be reached.',
    },
  ],
  flags: [
    {
      name: 'table',
      value: 'DB.SCHEMA.TABLE',
      repeatable: true,
      doc: 'A table, with its partitions, indexes, constraints and sequences. A name with a dot in it stands in double quotes.',
    },
    { name: 'schema', value: 'DB.SCHEMA', repeatable: true, doc: 'A schema with all in it.' },
    { name: 'database', value: 'DB', repeatable: true, doc: 'A whole database.' },
    {
      name: 'out',
      value: 'PATH',
      doc: 'The file to write, which must not exist. Of several databases: a directory, in which each gets a file.',
    },
    {
      name: 'format',
      value: 'custom|plain',
      doc: 'For pg_restore (custom, the default), or SQL (plain).',
    },
    ...TARGET_FLAGS,
    {
      name: 'run-as',
      value: 'USER',
      doc: 'Run server and pg_dump as this user of the system. Needed for root, as whom PostgreSQL does not run.',
    },
    {
      name: 'username',
      value: 'ROLE',
      doc: 'A superuser of the backed up cluster. Default: PGUSER, else postgres.',
    },
    {
      name: 'without-preload',
      doc: 'Do not load the libraries that the server had loaded (shared_preload_libraries).',
    },
    { name: 'plan', doc: 'Say what would be restored, and do nothing.' },
    JSON_FLAG,
  ],
  settings: 'extract',
  examples: [
    {
      purpose: 'Get a table back that was dropped at noon',
      line: "tsbk extract --table shop.public.orders --target-time '2026-08-21 11:59:00+02' --out orders.dump",
    },
    {
      purpose: 'Put it into the database again',
      line: 'pg_restore --dbname=shop orders.dump',
    },
  ],
};
