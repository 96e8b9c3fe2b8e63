import type { FlagSpec } from '@tsbk/core/settings/argv';
import { JSON_FLAG, type CommandDeclaration } from '../command.ts';
import { TARGET_FLAGS } from './target-flags.ts';

const INCOMPLETE = 'a directory with files left out is no cluster.';

const WALG_FLAGS: readonly FlagSpec[] = [
  { name: 'reverse-unpack', walg: 'ignored', doc: 'it tunes how WAL-G unpacks.' },
  { name: 'skip-redundant-tars', walg: 'ignored', doc: 'it tunes how WAL-G unpacks.' },
  { name: 'mask', value: 'GLOB', walg: 'refused', doc: INCOMPLETE },
  { name: 'target-user-data', value: 'JSON', walg: 'refused', doc: 'choose the backup by name.' },
  { name: 'target-storage', value: 'NAME', walg: 'refused', doc: 'there is one repository.' },
];

/** `tsbk backup-fetch DEST NAME|LATEST` */
export const backupFetch: CommandDeclaration = {
  name: 'backup-fetch',
  aliases: [],
  group: 'Backups',
  summary: 'restore a backup into an empty directory',
  description: [
    'Writes the backup into DEST, verifies every object and file on the way, and prepares the ' +
      'directory so that the server recovers when it is started: restore_command and the recovery ' +
      'target go into a marked block of postgresql.auto.conf, next to recovery.signal. Without a ' +
      'target the server recovers to the end of the archived WAL.',
    'The repository is checked first: a target that its WAL does not reach is refused before ' +
      'anything is written. pg_control comes last, so that an unfinished restore cannot be started.',
    'With --delta DEST may be the data directory of the same cluster, without a server. Files whose ' +
      'length and checksum are those of the backup stay, others are fetched, and everything that the ' +
      'backup does not have is removed. If that is interrupted, repeat it.',
  ],
  positionals: [
    {
      name: 'DEST',
      doc: 'Directory to restore into. Without --delta it must be empty or not exist.',
    },
    {
      name: 'NAME',
      doc: 'Backup to restore, or LATEST: the newest one from which the target can be reached.',
    },
  ],
  flags: [
    ...TARGET_FLAGS,
    {
      name: 'target-action',
      value: 'ACTION',
      doc: 'What the server does at the target: pause, promote (the default) or shutdown.',
    },
    { name: 'standby', doc: 'Prepare a standby (standby.signal) instead of a recovery.' },
    {
      name: 'tablespace-mapping',
      value: 'OLD=NEW',
      repeatable: true,
      doc: 'Put the tablespace that was at OLD to NEW. May be repeated.',
    },
    {
      name: 'restore-spec',
      value: 'FILE',
      doc: 'The same from a JSON file as WAL-G takes it (absolute path).',
    },
    {
      name: 'restore-only',
      value: 'LIST',
      doc: 'Restore only these databases and tables, and what no cluster can do without: database, database/table or database/schema.table, with commas between, * for anything. See docs/extract.md.',
    },
    {
      name: 'restore-command',
      value: 'TEXT',
      doc: 'Give the server this restore_command instead of the one for this repository.',
    },
    {
      name: 'no-recovery-settings',
      doc: 'Restore the files only: no signal file, nothing in postgresql.auto.conf.',
    },
    {
      name: 'delta',
      doc: 'Bring the data directory DEST to the state of the backup, fetching only what differs.',
    },
    { name: 'plan', doc: 'Say what would be restored from where, and write nothing.' },
    JSON_FLAG,
    ...WALG_FLAGS,
  ],
  settings: 'backup-fetch',
  examples: [
    {
      purpose: 'Restore the newest backup and recover to the end of WAL',
      line: 'tsbk backup-fetch /var/lib/postgresql/17/main LATEST',
    },
    {
      purpose: 'See what a recovery to a moment would take',
      line: "tsbk backup-fetch /srv/pg LATEST --target-time '2026-08-21 18:00:00+02' --plan",
    },
    {
      purpose: 'Go back to the newest backup and recover from there, fetching only what differs',
      line: 'tsbk backup-fetch /var/lib/postgresql/17/main LATEST --delta',
    },
    {
      purpose: 'Set up a standby with a tablespace somewhere else',
      line: 'tsbk backup-fetch /srv/pg LATEST --standby --tablespace-mapping /ssd/fast=/srv/fast',
    },
  ],
};
