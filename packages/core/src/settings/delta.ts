import { json } from './json-kind.ts';
import { choice, integer, string } from './kinds.ts';
import { setting } from './setting.ts';

/** When a backup stores only what changed since another one, and on top of which. */
export const DELTA_SETTINGS = {
  deltaMaxSteps: setting({
    env: ['TSBK_DELTA_MAX_STEPS', 'WALG_DELTA_MAX_STEPS'],
    kind: integer(0, 1000),
    default: 0,
    commands: ['backup-push', 'check'],
    doc: 'How many deltas may follow a full backup before the next one is full again. 0: every backup is full.',
  }),
  deltaOrigin: setting({
    env: ['TSBK_DELTA_ORIGIN', 'WALG_DELTA_ORIGIN'],
    kind: choice(['LATEST', 'LATEST_FULL']),
    default: 'LATEST',
    commands: ['backup-push'],
    doc: 'What a delta is taken against: the newest backup, or the full one that it goes back to.',
  }),
  deltaFromName: setting({
    env: ['TSBK_DELTA_FROM_NAME', 'WALG_DELTA_FROM_NAME'],
    kind: string,
    commands: ['backup-push'],
    doc: 'Name of the backup to take the delta against, instead of the newest one.',
  }),
  deltaFromUserData: setting({
    env: ['TSBK_DELTA_FROM_USER_DATA', 'WALG_DELTA_FROM_USER_DATA'],
    kind: json,
    commands: ['backup-push'],
    doc: 'The same, chosen by the JSON that was kept with the backup (TSBK_SENTINEL_USER_DATA).',
  }),
  deltaSource: setting({
    env: ['TSBK_DELTA_SOURCE'],
    kind: choice(['auto', 'server', 'stream', 'files', 'summaries']),
    default: 'auto',
    commands: ['backup-push'],
    doc: 'Who finds out what changed: the server (PostgreSQL 17, summarize_wal), tsbk in what the server sends, tsbk in the files, or the files by WAL summaries. `auto` takes the cheapest that there is, and the next one where a server refuses.',
  }),
  deltaFallback: setting({
    env: ['TSBK_DELTA_FALLBACK'],
    kind: choice(['full', 'fail']),
    default: 'full',
    commands: ['backup-push'],
    doc: 'What becomes of a delta that cannot be taken: a full backup, with a warning that says why, or an error.',
  }),
};
