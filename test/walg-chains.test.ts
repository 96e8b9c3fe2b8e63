/**
 * Chains of tsbk's deltas, restored and started by a real wal-g (`WALG_BIN`), rows compared. Each source,
 * codec, cipher and way of wal-g comes at least once, all their combinations with `TSBK_TEST_LONG=1`.
 */
import type { Chain, Flavour, Way } from './chains/walg-chain.ts';
import { testGroup } from './chains/walg-group.ts';

const isLong = process.env['TSBK_TEST_LONG'] === '1';

const BY_SERVER: Chain = ['stream', 'server', 'server'];
const BY_STREAM: Chain = ['stream', 'stream', 'stream'];
const BY_FILES: Chain = ['files', 'files', 'files'];
const BY_SUMMARIES: Chain = ['files', 'summaries', 'summaries'];
const RELAYED: readonly Chain[] = [
  ['stream', 'server', 'files'],
  ['files', 'summaries', 'stream'],
];

const CODECS = ['lz4', 'zstd', 'brotli', 'none'] as const;
const WAYS: readonly Way[] = ['wal-g', 'wal-g --reverse-unpack'];
const ALL_WAYS: readonly Way[] = [...WAYS, 'wal-g --reverse-unpack --skip-redundant-tars'];

const DIAGONAL: readonly (readonly [Flavour, Chain])[] = [
  [{ version: 17, codec: 'lz4', sealed: false }, BY_SERVER],
  [{ version: 18, codec: 'zstd', sealed: true }, BY_SUMMARIES],
  [{ version: 17, codec: 'brotli', sealed: false }, BY_FILES],
  [{ version: 18, codec: 'none', sealed: true }, BY_STREAM],
];

if (isLong) {
  const sources = [BY_SERVER, BY_STREAM, BY_FILES, BY_SUMMARIES];
  for (const codec of CODECS) {
    const flavour: Flavour = { version: 17, codec, sealed: false };
    testGroup({ flavour, chains: [...sources, ...RELAYED], ways: ALL_WAYS });
  }
  for (const codec of CODECS) {
    const flavour: Flavour = { version: 18, codec, sealed: true };
    testGroup({ flavour, chains: sources, ways: WAYS });
  }
} else {
  for (const [flavour, chain] of DIAGONAL) {
    testGroup({ flavour, chains: [chain], ways: WAYS });
  }
}
