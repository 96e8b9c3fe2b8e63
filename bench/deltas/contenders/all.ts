import type { DeltaContender } from '../delta-contender.ts';
import { pgBasebackupIncremental } from './pg-basebackup.ts';
import { pgBackRestBlocks, pgBackRestIncremental } from './pgbackrest.ts';
import { tsbkDeltas } from './tsbk.ts';
import { walGDelta, walGMapped } from './wal-g.ts';

/** Everyone who can take part, in the order of the report. */
export const DELTA_CONTENDERS: readonly DeltaContender[] = [
  ...tsbkDeltas,
  walGDelta,
  walGMapped,
  pgBackRestIncremental,
  pgBackRestBlocks,
  pgBasebackupIncremental,
];
