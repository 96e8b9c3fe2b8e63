import { JSON_FLAG, type CommandDeclaration } from '../command.ts';

/** `tsbk backup-merge NAME` */
export const backupMerge: CommandDeclaration = {
  name: 'backup-merge',
  aliases: [],
  group: 'Backups',
  summary: 'fold a delta and what it builds on into a full backup',
  description: [
    'Makes a full backup of the moment of a delta from what is in the repository: neither the server ' +
      'nor a data directory is touched. Restores and later deltas need the chain no more.',
    'Each object of the chain is read once and verified; the files go on, whole, into new parts. ' +
      'Changed pages that do not fit into memory lie in TSBK_SCRATCH_DIRECTORY meanwhile.',
    'The new backup has the name of a full one that starts in the same segment, the times, positions, ' +
      'user data and permanence of the delta. Nothing is deleted: the chain stays, and so do deltas that ' +
      'build on it.',
  ],
  positionals: [{ name: 'NAME', doc: 'Name of a delta, or LATEST.' }],
  flags: [{ name: 'plan', doc: 'Say what would be done, and do nothing.' }, JSON_FLAG],
  settings: 'backup-merge',
  examples: [
    { purpose: 'Make a full backup of the newest delta', line: 'tsbk backup-merge LATEST' },
    {
      purpose: 'See first what would be read',
      line: 'tsbk backup-merge LATEST --plan',
    },
  ],
};
