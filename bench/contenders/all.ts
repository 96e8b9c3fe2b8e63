import type { Contender } from './contender.ts';
import { floor } from './floor.ts';
import { pgBackRest } from './pgbackrest.ts';
import { pgBasebackup } from './pg-basebackup.ts';
import { tsbkLocal, tsbkRemote } from './tsbk.ts';
import { walG, walGRemote } from './wal-g.ts';

/** Everyone who is compared, in the order in which they take turns. */
export const CONTENDERS: readonly Contender[] = [
  tsbkRemote,
  tsbkLocal,
  walG,
  walGRemote,
  pgBackRest,
  pgBasebackup,
  floor,
];
