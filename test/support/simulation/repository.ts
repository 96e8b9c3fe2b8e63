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
}

export interface SimulatedRepository extends Repository {
  readonly store: SimulatedStore;
}

/** The default of `TSBK_S3_PART_SIZE`, and as many at once as two lanes have. */
const PART_BYTES = 8 * 1024 * 1024;
const PARTS_IN_FLIGHT = 3;

/** A repository whose parts take no disk: they are counted, and made again when they are read. */
export function simulatedRepository({ cluster: options, codec, scratch }: SimulatedSetup): {
  readonly repository: SimulatedRepository;
  readonly cluster: SimulatedCluster;
  readonly recipes: Recipes;
} {
  const cluster = simulatedCluster(options);
  const recipes = new Recipes(cluster, join(scratch, 'recipes'));
  const writeCodec = codecByName(codec);
  const repository = {
    store: simulatedStore({
      records: openFileStore({ root: join(scratch, 'repository') }, { clock: realClock }),
      remake: (key) => recipes.remake(key, writeCodec),
      storedBytes: (key) => recipes.storedBytes(key),
    }),
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
