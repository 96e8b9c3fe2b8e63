import type { WalContender } from './wal-contender.ts';

/** What the documentation of PostgreSQL shows: the least that a command can do. */
export const copy: WalContender = {
  id: 'cp',
  title: 'cp',
  note: 'test ! -f … && cp, as in the documentation of PostgreSQL: no compression, not flushed',
  absent: () => undefined,
  excluded: ({ store }) => (store === 's3' ? 'it copies into a directory only' : undefined),
  open: ({ repository }) => {
    const folder = repository.env['WALG_FILE_PREFIX'] ?? '';
    return {
      env: {},
      archiveCommand: `test ! -f ${folder}/%f && cp %p ${folder}/%f`,
      restoreCommand: `cp ${folder}/%f %p`,
    };
  },
};
