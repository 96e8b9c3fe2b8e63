import type { FlagSpec } from '@tsbk/core/settings/argv';
import { JSON_FLAG, type CommandDeclaration } from '../command.ts';

const ALWAYS = 'tsbk always writes what a restore can use.';

const WALG_FLAGS: readonly FlagSpec[] = [
  { name: 'rating-composer', short: 'r', walg: 'ignored', doc: 'it tunes how WAL-G packs files.' },
  { name: 'copy-composer', short: 'c', walg: 'ignored', doc: 'it tunes how WAL-G packs files.' },
  {
    name: 'database-composer',
    short: 'b',
    walg: 'ignored',
    doc: 'it tunes how WAL-G packs files.',
  },
  { name: 'store-all-corrupt', short: 's', walg: 'ignored', doc: 'a wrong page fails the backup.' },
  { name: 'without-files-metadata', walg: 'ignored', doc: ALWAYS },
  { name: 'target-storage', value: 'NAME', walg: 'refused', doc: 'there is one repository.' },
];

/** `tsbk backup-push [PGDATA]` */
export const backupPush: CommandDeclaration = {
  name: 'backup-push',
  aliases: [],
  group: 'Backups',
  summary: 'take a base backup of a running server',
  description: [
    'Takes a base backup, compresses and encrypts it in parallel, and stores it in the repository. ' +
      'The connection comes from the usual variables (PGHOST, PGPORT, PGUSER, PGPASSFILE, PGSSLMODE …).',
    'Without PGDATA the server sends its files over the replication protocol, from wherever it runs; ' +
      'the role needs LOGIN and REPLICATION. With PGDATA tsbk reads the files itself, several at once, ' +
      'which is faster: it must run on the machine and as the user of the server, and the role must ' +
      'be allowed to execute pg_backup_start and pg_backup_stop (before PostgreSQL 15: ' +
      'pg_start_backup and pg_stop_backup). No superuser is needed for either.',
    'With TSBK_DELTA_MAX_STEPS a backup stores only what changed since the newest one, or the one that ' +
      'TSBK_DELTA_ORIGIN or --delta-from-name choose. What it is, and why, is said before it begins.',
    'The backup becomes visible when it is complete: after its last WAL segment has arrived in the ' +
      'archive (see TSBK_WAL_TIMEOUT). A run that fails or is interrupted removes what it stored.',
  ],
  positionals: [
    {
      name: 'PGDATA',
      optional: true,
      doc: 'Data directory of the server, to be read here. tsbk makes sure that it is that server’s.',
    },
  ],
  flags: [
    {
      name: 'full',
      short: 'f',
      doc: 'Take a full backup, also where TSBK_DELTA_MAX_STEPS asks for a delta.',
    },
    {
      name: 'permanent',
      short: 'p',
      doc: 'Mark the backup as permanent: deleting by retention leaves it alone.',
    },
    {
      name: 'add-user-data',
      value: 'JSON',
      doc: 'Data of yours to keep with the backup. Wins over TSBK_SENTINEL_USER_DATA.',
    },
    { name: 'label', value: 'TEXT', doc: 'Label for backup_label and the server’s log.' },
    {
      name: 'checkpoint',
      value: 'fast|spread',
      doc: 'Begin with a checkpoint at once (fast, the default) or wait for a scheduled one.',
    },
    {
      name: 'verify',
      short: 'v',
      doc: 'Verify page checksums, in a cluster that has them. This is the default; a wrong one fails the backup.',
    },
    { name: 'no-verify', doc: 'Do not verify page checksums.' },
    { name: 'plan', doc: 'Say what would be done, and do nothing.' },
    JSON_FLAG,
    ...WALG_FLAGS,
  ],
  settings: 'backup-push',
  examples: [
    {
      purpose: 'Back up the local server into a directory',
      line: 'PGHOST=/var/run/postgresql tsbk backup-push --file-prefix /var/backups/main',
    },
    {
      purpose: 'Read the files of the local server instead of having them sent',
      line: 'PGHOST=/var/run/postgresql tsbk backup-push /var/lib/postgresql/17/main --file-prefix /var/backups/main',
    },
    {
      purpose: 'Back up a remote server into a bucket, smaller and slower',
      line: 'PGHOST=db1 tsbk backup-push --s3-prefix s3://backups/main --compression-method zstd',
    },
    {
      purpose: 'Store only what changed, and after six of those everything again',
      line: 'PGHOST=db1 tsbk backup-push --delta-max-steps 6 --s3-prefix s3://backups/main',
    },
    {
      purpose: 'Keep this one for good, and say why',
      line: `tsbk backup-push --permanent --add-user-data '{"reason":"before upgrade"}'`,
    },
  ],
};
