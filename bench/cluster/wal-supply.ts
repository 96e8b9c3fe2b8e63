import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { giveToServerUser, scratchPath, startPostgres } from '@tsbk/test/support/postgres';
import { copyCluster } from '@tsbk/test/support/postgres/cluster';
import type { PostgresVersion } from '@tsbk/test/support/postgres';

/** Consecutive WAL segments, and the cluster as it was before them. */
export interface WalSupply {
  readonly version: PostgresVersion;
  /** Data directory of the cluster, cleanly shut down where the first segment begins. */
  readonly base: string;
  /** Paths of the segments, each 16 MiB, in order. */
  readonly segments: readonly string[];
}

/** As many turns as no number of segments needs. */
const TURNS_MAX = 10_000;

/**
 * Lets a server write `count` segments of an ordinary load: inserts, updates in place and to new
 * pages, an index that splits, page images after checkpoints.
 */
export async function makeWalSupply(version: PostgresVersion, count: number): Promise<WalSupply> {
  const folder = scratchPath('wal');
  mkdirSync(folder);
  const script = join(folder, 'copy');
  writeFileSync(script, `#!/bin/sh\nexec cp "$1" ${folder}/"$2"\n`);
  chmodSync(script, 0o755);
  giveToServerUser(folder);
  await using server = await startPostgres({
    version,
    archiveCommand: `${script} %p %f`,
    settings: { max_wal_size: '1GB', shared_buffers: '128MB' },
  });
  await server.stop();
  const base = scratchPath('base');
  copyCluster(server.dataDir, base);
  await server.start();
  await server.query(TABLES);
  const written = (): string[] =>
    readdirSync(folder)
      .filter((name) => /^[0-9A-F]{24}$/.test(name))
      .sort();
  for (let turn = 0; turn < TURNS_MAX && written().length < count; turn += 1) {
    await server.query(LOAD);
  }
  return {
    version,
    base,
    segments: written()
      .slice(0, count)
      .map((name) => join(folder, name)),
  };
}

const TABLES = `
  create table accounts (id bigserial primary key, owner uuid, balance numeric, note text);
  create table movements (account bigint, amount numeric, reason text, made timestamptz);
  create index on accounts (owner);`;

const LOAD = `
  insert into accounts (owner, balance, note)
    select md5(random()::text)::uuid, g, 'opened at branch ' || g % 97 || ', ' || md5(g::text)
    from generate_series(1, 20000) g;
  update accounts set balance = balance + 1 where id % 40 = (random() * 40)::int;
  insert into movements select id, balance / 7, 'order ' || id || ' of customer ' || owner, now()
    from accounts where id % 20 = (random() * 20)::int;`;
