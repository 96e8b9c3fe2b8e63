import { installedTsbk } from '@tsbk/test/support/tsbk';
import { stageForServerUser, type Server } from '@tsbk/test/support/postgres';
import type { TestStore } from '@tsbk/test/support/store';
import type { Command } from '../../measure/run-measured.ts';
import { connectionEnv } from '../contender.ts';
import { walG, walGProgram } from '../wal-g.ts';

interface ReceiverSite {
  readonly server: Server;
  readonly repository: TestStore;
  readonly codec: 'lz4' | 'zstd';
  /** A folder of the server's user. */
  readonly folder: string;
}

/** A program that takes WAL over the replication protocol into a repository, as long as it runs. */
export interface WalReceiver {
  readonly id: string;
  readonly title: string;
  readonly note: string;
  /** How to install it when it is not there; `undefined` when it is. */
  readonly absent: () => string | undefined;
  readonly command: (site: ReceiverSite) => Command;
}

/** The only one whose pieces of an open segment a restore uses. */
export const TSBK_RECEIVER = 'tsbk-receive';

const tsbkReceive: WalReceiver = {
  id: TSBK_RECEIVER,
  title: 'tsbk, wal-receive',
  note: 'tsbk wal-receive with a slot, defaults: the open segment goes out in pieces each second',
  absent: () => undefined,
  command: ({ server, repository, codec, folder }) => ({
    program: installedTsbk().cli,
    args: ['wal-receive', '--create-slot'],
    env: {
      ...installedTsbk().env,
      ...repository.env,
      ...connectionEnv(server),
      TSBK_STATE_DIRECTORY: folder,
      TSBK_COMPRESSION_METHOD: codec,
    },
  }),
};

const walGReceive: WalReceiver = {
  id: 'wal-g-receive',
  title: 'WAL-G, wal-receive',
  note: 'wal-g wal-receive with a slot, defaults: whole segments',
  absent: walG.absent,
  command: ({ server, repository, codec }) => ({
    program: stageForServerUser(walGProgram() ?? ''),
    args: ['wal-receive'],
    env: {
      ...repository.env,
      ...connectionEnv(server),
      PGDATABASE: 'postgres',
      WALG_COMPRESSION_METHOD: codec,
    },
  }),
};

export const WAL_RECEIVERS: readonly WalReceiver[] = [tsbkReceive, walGReceive];
