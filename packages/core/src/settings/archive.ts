import { absolutePath, boolean, choice, duration, integer } from './kinds.ts';
import { segmentSize } from './segment-size.ts';
import { setting } from './setting.ts';

/** The two commands that PostgreSQL starts. */
export const ARCHIVE_SETTINGS = {
  stateDirectory: setting({
    env: ['TSBK_STATE_DIRECTORY'],
    kind: absolutePath,
    commands: ['archive-push', 'archive-get', 'wal-receive', 'daemon'],
    defaultText: '`pg_stat_tmp/tsbk` in the data directory',
    doc: 'Where the commands of one server keep what they know between runs. Losing it costs time, never data.',
  }),
  daemonSocket: setting({
    env: ['TSBK_DAEMON_SOCKET'],
    kind: absolutePath,
    commands: ['archive-push', 'archive-get', 'daemon'],
    defaultText: '`daemon.sock` in the state directory',
    doc: 'Unix socket of `tsbk daemon`. The commands work alone where nobody answers there.',
  }),
  pushTimeoutMs: setting({
    env: ['TSBK_PUSH_TIMEOUT'],
    kind: duration(1000),
    default: 60_000,
    commands: ['archive-push', 'daemon'],
    doc: 'How long one archive-push tries. Then it fails, and PostgreSQL starts it again by itself.',
  }),
  pushAhead: setting({
    env: ['TSBK_PUSH_AHEAD', 'TOTAL_BG_UPLOADED_LIMIT'],
    kind: integer(0, 10_000),
    default: 128,
    commands: ['archive-push', 'daemon'],
    doc: 'How many further files one archive-push or the daemon stores at most while it is at it, so that PostgreSQL is answered at once when it asks for them. With `0` it stores the asked one alone, and remembers nothing.',
  }),
  getPatienceMs: setting({
    env: ['TSBK_GET_PATIENCE'],
    kind: duration(0),
    default: 60_000,
    commands: ['archive-get', 'daemon'],
    doc: 'How long archive-get waits out a store that fails or says nothing before it stops recovery. With `0` it asks once; a store may be silent for 5 s in any case.',
  }),
  getOpenSegment: setting({
    env: ['TSBK_GET_OPEN_SEGMENT'],
    kind: choice(['recovery', 'always']),
    default: 'recovery',
    commands: ['archive-get'],
    doc: 'Who gets the beginning of a segment that wal-receive has not received to its end: a server that recovers, or a standby too. Never `always` with archive_mode=always, by which the standby would archive it.',
  }),
  getAhead: setting({
    env: ['TSBK_GET_AHEAD'],
    kind: integer(0, 64),
    default: 8,
    commands: ['archive-get'],
    doc: 'How many segments are fetched before recovery asks for them, at most 512 MiB. `0`: each when it is asked for.',
  }),
  checkTimeoutMs: setting({
    env: ['TSBK_CHECK_TIMEOUT'],
    kind: duration(1000),
    default: 60_000,
    commands: ['check'],
    doc: 'How long `tsbk check` waits for the segment it has the server archive.',
  }),
  preventWalOverwrite: setting({
    env: ['TSBK_PREVENT_WAL_OVERWRITE', 'WALG_PREVENT_WAL_OVERWRITE'],
    kind: boolean,
    default: true,
    commands: ['archive-push', 'daemon'],
    doc: 'Always on: WAL in the archive is never replaced by other content. `false` is not obeyed.',
  }),
  integrityMaxDelayedWals: setting({
    env: ['TSBK_INTEGRITY_MAX_DELAYED_WALS', 'WALG_INTEGRITY_MAX_DELAYED_WALS'],
    kind: integer(0, 1_000_000),
    default: 0,
    commands: ['wal-verify'],
    doc: 'How many of the newest segments `wal-verify` lets be missing because archiving lags behind: they are delayed, not lost.',
  }),
  walSegmentBytes: setting({
    env: ['TSBK_PG_WAL_SIZE', 'WALG_PG_WAL_SIZE'],
    kind: segmentSize,
    default: 16 * 1024 ** 2,
    commands: ['backup-fetch', 'backup-show', 'extract', 'wal-show', 'wal-verify', 'check'],
    doc: 'Size of WAL segments where the repository does not tell it; a plain number is MiB.',
  }),
};
