import { absolutePath, boolean } from './kinds.ts';
import { setting } from './setting.ts';

/** How a backup is put back. What to restore, and up to where, are options of the command. */
export const RESTORE_SETTINGS = {
  tarDisableFsync: setting({
    env: ['TSBK_TAR_DISABLE_FSYNC', 'WALG_TAR_DISABLE_FSYNC'],
    kind: boolean,
    default: false,
    commands: ['backup-fetch', 'extract'],
    doc: 'Do not flush restored files to disk. A crash of the machine then ruins the restore.',
  }),
  pgBinDirectory: setting({
    env: ['TSBK_PG_BIN_DIRECTORY'],
    kind: absolutePath,
    defaultText: 'looked for on `PATH` and where packages put it',
    commands: ['extract'],
    doc: "Directory of PostgreSQL's own programs, of the backup's major version: postgres and pg_dump.",
  }),
};
