/**
 * Chains that wal-g (`WALG_BIN`) begins and tsbk goes on with, and the other way round, restored and
 * started by both, rows compared. `TSBK_TEST_LONG=1` has every codec of both, plain and under libsodium.
 */
import type { Chain, Flavour, Way } from './chains/walg-chain.ts';
import { testGroup } from './chains/walg-group.ts';

const isLong = process.env['TSBK_TEST_LONG'] === '1';

const BY_WALG: Chain = ['wal-g', 'wal-g', 'wal-g'];
const CHAINS: readonly Chain[] = [
  BY_WALG,
  ['wal-g', 'files', 'files'],
  ['wal-g', 'stream', 'stream'],
  ['wal-g', 'wal-g', 'stream'],
  ['stream', 'wal-g', 'wal-g'],
  ['files', 'wal-g', 'files'],
  ['wal-g', 'summaries', 'wal-g'],
  ['files', 'summaries', 'wal-g'],
  ['stream', 'server', 'wal-g'],
];

/** Those that a server of this version can take part in: WAL summaries came with 17. */
function chainsOn(version: number): readonly Chain[] {
  const needs17 = (chain: Chain): boolean =>
    chain.includes('summaries') || chain.includes('server');
  return CHAINS.filter((chain) => version >= 17 || !needs17(chain));
}

const PLAIN: readonly Flavour[] = [
  { version: 13, codec: 'lz4', walgCodec: 'lz4', sealed: false },
  { version: 14, codec: 'lz4', walgCodec: 'lzma', sealed: false },
  { version: 15, codec: 'zstd', walgCodec: 'zstd', sealed: false },
  { version: 16, codec: 'brotli', walgCodec: 'brotli', sealed: false },
  { version: 17, codec: 'none', walgCodec: 'lz4', sealed: false },
  { version: 17, codec: 'lz4', walgCodec: 'none', sealed: false },
];
/** Uncompressed and encrypted wal-g 3.0.8 cannot store a backup. */
const SEALED = PLAIN.filter(({ walgCodec }) => walgCodec !== 'none').map((flavour): Flavour => ({
  ...flavour,
  version: 18,
  sealed: true,
}));
/** From each source one, begun by either. */
const SEALED_CHAINS: readonly Chain[] = [
  BY_WALG,
  ['wal-g', 'stream', 'wal-g'],
  ['files', 'wal-g', 'files'],
  ['wal-g', 'wal-g', 'summaries'],
  ['stream', 'server', 'wal-g'],
];

/** On backups that wal-g 3.0.8 had the server send, which it can up to PostgreSQL 14. */
const ON_REMOTE: Flavour = { version: 14, codec: 'zstd', walgCodec: 'lz4', sealed: true };
const REMOTE_CHAINS: readonly Chain[] = [
  ['wal-g remote', 'stream', 'files'],
  ['wal-g remote', 'files', 'wal-g'],
];

const DIAGONAL: readonly (readonly [Flavour, Chain])[] = [
  [{ version: 13, codec: 'zstd', walgCodec: 'lzma', sealed: false }, ['wal-g', 'stream', 'wal-g']],
  [{ version: 16, codec: 'lz4', walgCodec: 'zstd', sealed: true }, ['files', 'wal-g', 'files']],
  [
    { version: 18, codec: 'none', walgCodec: 'brotli', sealed: false },
    ['stream', 'server', 'wal-g'],
  ],
  [
    { version: 17, codec: 'lz4', walgCodec: 'none', sealed: false },
    ['wal-g', 'summaries', 'wal-g'],
  ],
];

/** wal-g 3.0.8 does not find again what it stores uncompressed, because the names end in a dot. */
function waysFor({ walgCodec }: Flavour): readonly Way[] {
  return walgCodec === 'none' ? ['tsbk'] : ['wal-g', 'wal-g --reverse-unpack', 'tsbk'];
}

if (isLong) {
  for (const flavour of PLAIN) {
    testGroup({ flavour, chains: chainsOn(flavour.version), ways: waysFor(flavour) });
  }
  for (const flavour of SEALED) {
    testGroup({ flavour, chains: SEALED_CHAINS, ways: waysFor(flavour) });
  }
  testGroup({ flavour: ON_REMOTE, chains: REMOTE_CHAINS, ways: waysFor(ON_REMOTE) });
} else {
  for (const [flavour, chain] of DIAGONAL) {
    testGroup({ flavour, chains: [chain], ways: waysFor(flavour) });
  }
}
