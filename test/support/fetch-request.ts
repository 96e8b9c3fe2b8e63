import type { FetchRequest } from '@tsbk/core/restore/fetch';

type Given = Partial<FetchRequest> & Pick<FetchRequest, 'destination'>;

/**
 * To restore the newest backup and all of its WAL, as `tsbk backup-fetch` asks for it without options;
 * but flushed to the disk only where a test says so.
 */
export function fetchRequest(given: Given): FetchRequest {
  return {
    backup: 'LATEST',
    target: { kind: 'latest' },
    timeline: 'latest',
    action: 'promote',
    standby: false,
    restoreCommand: 'get "%f" "%p"',
    writeRecoverySettings: true,
    tablespaceMapping: [],
    segmentBytes: 16 * 1024 * 1024,
    fsync: false,
    ...given,
  };
}
