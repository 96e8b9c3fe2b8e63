import { join } from 'node:path';
import { noCipher } from '@tsbk/core/cipher/none';
import { codecByExtension, codecByName, EXTENSIONS } from '@tsbk/core/codec/codecs';
import type { Repository } from '@tsbk/core/repository/repository';
import { openFileStore } from '@tsbk/core/storage/file/open';
import { realClock } from '../clock.ts';
import {
  simulatedCluster,
  type SimulatedCluster,
  type SimulatedClusterOptions,
} from './cluster.ts';
import { Recipes } from './recipes.ts';
import { simulatedStore, type SimulatedStore } from './store.ts';

/** Plain data, from which every thread makes the same repository. */
export interface SimulatedSetup {
  readonly cluster: SimulatedClusterOptions;
  readonly codec: 'lz4' | 'zstd' | 'none';
  /** For what is really stored: records and recipes. */
  readonly scratch: string;
  /** A directory in which everything is really stored, for other programs to restore. */
  readonly root?: string | undefined;
}

export interface SimulatedRepository extends Repository {
  readonly store: SimulatedStore;
}

/** The default of `TSBK_S3_PART_SIZE`, and as many at once as two lanes have. */
const PART_BYTES = 8 * 1024 * 1024;
const PARTS_IN_FLIGHT = 3;

/** Where the records of a simulated repository lie. */
export function rootOf({ root, scratch }: SimulatedSetup): string {
  return root ?? join(scratch, 'repository');
}

/**
 * A repository whose parts take no disk, unless it has a directory for them: they are counted, and
 * made again when they are read.
 */
export function simulatedRepository(setup: SimulatedSetup): {
  readonly repository: SimulatedRepository;
  readonly cluster: SimulatedCluster;
  readonly recipes: Recipes;
} {
  const { codec, scratch } = setup;
  const cluster = simulatedCluster(setup.cluster);
  const recipes = new Recipes(cluster, join(scratch, 'recipes'));
  const writeCodec = codecByName(codec);
  const records = openFileStore({ root: rootOf(setup) }, { clock: realClock });
  const store =
    setup.root === undefined
      ? simulatedStore({
          records,
          remake: (key) => recipes.remake(key, writeCodec),
          storedBytes: (key) => recipes.storedBytes(key),
        })
      : { ...records, learn: () => {} };
  const repository = {
    store,
    writeCodec,
    codecOf: codecByExtension,
    walExtensions: EXTENSIONS,
    cipher: noCipher,
    clock: realClock,
    partBytes: PART_BYTES,
    partsInFlight: PARTS_IN_FLIGHT,
  };
  return { repository, cluster, recipes };
}
