/** Chains of backups of a live server whose links tsbk and a real wal-g take in turns. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { archiveEverything } from '../support/archiving-server.ts';
import { openBackupSite, type BackupSite } from '../support/backup-site.ts';
import { changeEverything, createChanging, sumOfEverything } from '../support/change-everything.ts';
import {
  scratchPathForServerUser,
  type PostgresVersion,
  type Server,
} from '../support/postgres.ts';
import { runWalg, startByWalg, walgLacks } from '../support/walg.ts';

/**
 * Who takes a link: tsbk, named by where it finds what changed, or wal-g, of the data directory or,
 * full backups only, of what the server sends.
 */
type Maker = 'server' | 'stream' | 'files' | 'summaries' | 'wal-g' | 'wal-g remote';

/** The full backup, then the deltas, each on the one before. */
export type Chain = readonly [Maker, Maker, Maker];

/** How a chain is restored: by tsbk, or by wal-g with these options of its `backup-fetch`. */
export type Way = 'tsbk' | 'wal-g' | `wal-g --${string}`;

/** What the chains of one server and repository have in common. */
export interface Flavour {
  readonly version: PostgresVersion;
  /** Compression of what tsbk stores, WAL too. */
  readonly codec: 'lz4' | 'zstd' | 'brotli' | 'none';
  /** Compression of what wal-g stores; as that of tsbk if absent. */
  readonly walgCodec?: 'lz4' | 'lzma' | 'zstd' | 'brotli' | 'none';
  /** Encrypted with libsodium. */
  readonly sealed: boolean;
}

const LINKS = 3;

/** A key for tests. It protects nothing. */
const SODIUM = {
  WALG_LIBSODIUM_KEY: `${'00'.repeat(31)}2d`,
  WALG_LIBSODIUM_KEY_TRANSFORM: 'hex',
};

const SETTINGS = {
  WALG_DELTA_MAX_STEPS: '10',
  TSBK_DELTA_FALLBACK: 'fail',
  // Several archives a backup, so that a restore has some to leave out.
  WALG_TAR_SIZE_THRESHOLD: '4000000',
  // What is restored here need not outlive the machine.
  WALG_TAR_DISABLE_FSYNC: 'true',
};

function settingsOf(codec: string, { sealed }: Flavour): Readonly<Record<string, string>> {
  return { WALG_COMPRESSION_METHOD: codec, ...(sealed ? SODIUM : {}) };
}

export function titleOf({ version, codec, walgCodec, sealed }: Flavour): string {
  const codecs = walgCodec === undefined ? codec : `tsbk ${codec}, wal-g ${walgCodec}`;
  return `PostgreSQL ${version}, ${codecs}${sealed ? ', under libsodium' : ''}`;
}

/** Why the wal-g at hand cannot take part, or `false`. */
export function lacksFor(flavour: Flavour): string | false {
  const codecs = [flavour.codec, flavour.walgCodec ?? flavour.codec];
  return walgLacks(...codecs.map((codec) => settingsOf(codec, flavour)));
}

/** Chains that were made of one server, into one repository. */
export interface MadeChains extends AsyncDisposable {
  /** Restores the last link of a chain, starts a server on it, and compares its rows and indexes. */
  compare(chain: Chain, way: Way): Promise<void>;
}

/** Makes chains side by side: what changes between two links is the same for all of them. */
export async function makeChains(flavour: Flavour, chains: readonly Chain[]): Promise<MadeChains> {
  const site = await openBackupSite({
    version: flavour.version,
    settings: flavour.version >= 17 ? { summarize_wal: 'on' } : {},
    tsbkEnv: { ...SETTINGS, ...settingsOf(flavour.codec, flavour) },
  });
  const tops = new Map<Chain, Promise<string>>();
  await createChanging(site.server);
  for (let round = 0; round < LINKS; round += 1) {
    if (round > 0) await changeEverything(site.server, round);
    for (const chain of chains) {
      const taken = takeOnTop({ site, flavour, maker: chain[round] ?? 'stream' }, tops.get(chain));
      tops.set(chain, taken);
      // What goes wrong with one chain is for the tests of that one.
      await Promise.allSettled([taken]);
    }
  }
  const sums = await sumOfEverything(site.server);
  await archiveEverything(site.server);
  return {
    compare: async (chain, way) => {
      const top = await tops.get(chain);
      await using restored = await restore(site, top ?? '', way);
      assert.equal(await sumOfEverything(restored), sums);
      await requireSoundIndexes(restored);
    },
    [Symbol.asyncDispose]: async () => {
      await site[Symbol.asyncDispose]();
      // All repositories of a long run together would be large.
      rmSync(site.root, { recursive: true });
    },
  };
}

interface Link {
  readonly site: BackupSite;
  readonly flavour: Flavour;
  readonly maker: Maker;
}

/** Takes a link on top of what was taken before, a full backup if nothing was. Resolves with its name. */
async function takeOnTop(link: Link, below: Promise<string> | undefined): Promise<string> {
  const parent = await below;
  const args = parent === undefined ? ['--full'] : ['--delta-from-name', parent];
  const { site, maker } = link;
  if (maker === 'wal-g remote') return takeByWalg(link, args);
  return maker === 'wal-g'
    ? takeByWalg(link, [site.server.dataDir, ...args])
    : takeByTsbk(link, args);
}

async function takeByTsbk({ site, maker }: Link, args: readonly string[]): Promise<string> {
  const reads = maker === 'files' || maker === 'summaries' ? [site.server.dataDir] : [];
  const env = { TSBK_DELTA_SOURCE: maker };
  const { name, delta } = await site.push([...reads, ...args], { env });
  if (!args.includes('--full')) assert.deepEqual([args[1], maker], [delta?.parent, delta?.source]);
  return name;
}

async function takeByWalg({ site, flavour }: Link, args: readonly string[]): Promise<string> {
  const env = { ...site.env, ...settingsOf(flavour.walgCodec ?? flavour.codec, flavour) };
  const run = await runWalg(['backup-push', ...args], { env });
  assert.equal(run.code, 0, run.stderr.slice(-2000));
  const name = /Wrote backup with name (base_\w+)/.exec(run.stderr)?.[1] ?? '';
  assert.equal(name.includes('_D_'), !args.includes('--full'), run.stderr);
  return name;
}

async function restore(site: BackupSite, name: string, way: Way): Promise<Server> {
  if (way === 'tsbk') {
    const target = ['--target-immediate', '--target-action=promote'];
    // Nobody will ask for more than the first segments.
    const env = { TSBK_GET_AHEAD: '0' };
    return (await site.restore({ args: [name, ...target], env })).server;
  }
  const { server, env } = site;
  const directory = scratchPathForServerUser('by-walg');
  const [, ...options] = way.split(' ');
  const run = await runWalg(['backup-fetch', directory, name, ...options], { env });
  assert.equal(run.code, 0, run.stderr.slice(-2000));
  return await startByWalg(directory, { version: server.version, env, immediate: true });
}

/** Rejects if an index and its table do not agree. */
async function requireSoundIndexes(server: Server): Promise<void> {
  await server.query('create extension amcheck');
  const checked = await server.query(
    `select bt_index_check(i.indexrelid, true) from pg_index i join pg_class c on c.oid = i.indexrelid
     where c.relnamespace = 'public'::regnamespace and c.relpersistence = 'p'`,
  );
  assert.ok(checked.length > 0);
}
