import type { FlagSpec } from '@tsbk/core/settings/argv';

/** Up to where to recover. */
export const TARGET_FLAGS: readonly FlagSpec[] = [
  {
    name: 'target-time',
    value: 'TIME',
    doc: 'Recover up to this moment: 2026-08-21 18:02:35+02, or RFC 3339. A time zone is needed.',
  },
  { name: 'target-lsn', value: 'LSN', doc: 'Recover up to this WAL position: 0/5000060.' },
  { name: 'target-xid', value: 'XID', doc: 'Recover up to the commit of this transaction.' },
  {
    name: 'target-name',
    value: 'NAME',
    doc: 'Recover up to this restore point (pg_create_restore_point).',
  },
  { name: 'target-immediate', doc: 'Recover only until the backup is consistent.' },
  {
    name: 'target-timeline',
    value: 'TIMELINE',
    doc: 'Follow this timeline: a number, current, or latest (the default).',
  },
  { name: 'target-exclusive', doc: 'Stop just before the target instead of just after it.' },
];
