import type { FlagSpec } from '@tsbk/core/settings/argv';
import { JSON_FLAG, type CommandDeclaration } from '../command.ts';

const ALWAYS = 'tsbk always writes what a restore can use.';
const FULL = 'every backup is taken so that it restores by itself.';

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
  { name: 'delta-from-name', value: 'NAME', walg: 'ignored', doc: FULL },
  { name: 'delta-from-user-data', value: 'JSON', walg: 'ignored', doc: FULL },
  { name: 'target-storage', value: 'NAME', walg: 'refused', doc: 'there is one repository.' },
];

/** `tsbk backup-push [PGDATA]` */
export const backupPush: CommandDeclaration = {
  name: 'backup-push',
  aliases: [],
  group: 'Backups',
  summary: 'take a base backup of a running server',
  description: [
    'Streams a base backup over the replication protocol, compresses and encrypts it in parallel, ' +
      'and stores it in the repository. The role needs LOGIN and REPLICATION, no superuser. The ' +
      'connection comes from the usual variables (PGHOST, PGPORT, PGUSER, PGPASSFILE, PGSSLMODE …).',
    'The backup becomes visible when it is complete: after its last WAL segment has arrived in the ' +
      'archive (see TSBK_WAL_TIMEOUT). A run that fails or is interrupted removes what it stored.',
  ],
  positionals: [
    {
      name: 'PGDATA',
      optional: true,
      doc: 'Data directory, as WAL-G takes it. It is compared with the server’s; data is streamed.',
    },
  ],
  flags: [
    { name: 'full', short: 'f', doc: 'Take a full backup. This is the default.' },
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
      doc: 'Have the server verify page checksums. This is the default.',
    },
    { name: 'no-verify', doc: 'Do not have the server verify page checksums.' },
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
      purpose: 'Back up a remote server into a bucket, smaller and slower',
      line: 'PGHOST=db1 tsbk backup-push --s3-prefix s3://backups/main --compression-method zstd',
    },
    {
      purpose: 'Keep this one for good, and say why',
      line: `tsbk backup-push --permanent --add-user-data '{"reason":"before upgrade"}'`,
    },
  ],
};
