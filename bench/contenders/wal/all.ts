import { copy } from './copy.ts';
import { pgBackRestAsync } from './pgbackrest.ts';
import { tsbkCommand, tsbkCurl, tsbkDaemon } from './tsbk.ts';
import type { WalContender } from './wal-contender.ts';
import { walGCommand, walGDaemon } from './wal-g.ts';

/** Everyone whose archiving is compared, in the order in which they take turns. */
export const WAL_CONTENDERS: readonly WalContender[] = [
  tsbkCommand,
  tsbkDaemon,
  tsbkCurl,
  walGCommand,
  walGDaemon,
  pgBackRestAsync,
  copy,
];

/** Those whose archive can be watched from outside: it has WAL-G's layout. */
export const WATCHED_CONTENDERS: readonly WalContender[] = [
  tsbkCommand,
  tsbkDaemon,
  tsbkCurl,
  walGCommand,
  walGDaemon,
];
