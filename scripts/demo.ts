/**
 * `npm run demo [-- --s3]`: a real PostgreSQL 17 that archives through tsbk, a backup taken while it
 * is written to, a DELETE without WHERE, and a second server restored to just before it.
 */
import { formatDuration } from '@tsbk/core/kernel/duration';
import { formatSize } from '@tsbk/core/kernel/size';
import {
  scratchPathForServerUser,
  startFrom,
  startPostgres,
  type Server,
} from '@tsbk/test/support/postgres';
import { installedTsbk, runTsbk, type TsbkRun } from '@tsbk/test/support/tsbk';
import { archiveEverything } from '@tsbk/test/support/archiving-server';
import { openTestStore, type TestStore } from '@tsbk/test/support/store';
import { startWriteLoad } from '@tsbk/test/support/write-load';

const VERSION = 17;
const ROWS = 300_000;
const RESTORE_POINT = 'before_the_mistake';

const start = performance.now();

async function main(): Promise<void> {
  const s3 = process.argv.includes('--s3');
  await using store = await openTestStore(s3 ? 's3' : 'directory');
  const tsbk = installedTsbk();

  heading('1. A PostgreSQL server that archives through tsbk');
  const archiveCommand = `${tsbk.archivePush} %p`;
  await using primary = await startPostgres({
    version: VERSION,
    archiveCommand,
    env: { ...tsbk.env, ...store.env },
  });
  say(`repository       ${store.describe}`);
  say(`archive_command  tsbk-archive-push %p`);
  await primary.query(LOAD, []);
  const size = await one<{ bytes: string }>(
    primary,
    "select pg_database_size('postgres')::text as bytes",
  );
  say(`loaded ${ROWS.toLocaleString('en')} orders, database of ${formatSize(Number(size.bytes))}`);

  heading('2. A base backup while the database is written to');
  const env = {
    ...store.env,
    PGHOST: primary.socketDir,
    PGPORT: String(primary.port),
    PGUSER: 'postgres',
  };
  const writer = startWriteLoad(primary);
  const backup = await command(['backup-push'], env);
  const written = await writer.stop();
  say(
    `meanwhile ${written} transactions were committed; peak memory ${formatSize(backup.peakBytes)}`,
  );
  await command(['backup-list'], env);

  heading('3. Life goes on, and then somebody forgets the WHERE');
  await primary.query(
    "insert into orders select g, 'after the backup', 1 from generate_series(1000001, 1010000) g",
  );
  const good = await fingerprint(primary);
  await primary.query(`select pg_create_restore_point('${RESTORE_POINT}')`);
  say(`${good.rows} orders; restore point "${RESTORE_POINT}" taken`);
  await primary.query('delete from orders');
  const bad = await fingerprint(primary);
  say(`DELETE FROM orders;  →  ${bad.rows} orders`);
  await archiveEverything(primary);

  heading('4. Restore to just before it, into a second directory');
  const directory = scratchPathForServerUser('restored');
  const target = [
    directory,
    'LATEST',
    '--target-name',
    RESTORE_POINT,
    '--target-action',
    'promote',
  ];
  await command(['backup-fetch', ...target, '--plan'], env);
  const fetch = await command(['backup-fetch', ...target], env);
  say(`restored in ${formatDuration(fetch.ms)}, peak memory ${formatSize(fetch.peakBytes)}`);
  const before = performance.now();
  await using restored = await startFrom(directory, {
    version: VERSION,
    waitFor: 'end-of-recovery',
    env: { ...tsbk.env, ...store.env },
  });
  say(`PostgreSQL recovered and opened in ${formatDuration(performance.now() - before)}`);

  heading('5. Compare');
  const back = await fingerprint(restored);
  say(`before the mistake  ${good.rows} orders, md5 ${good.md5}`);
  say(`restored            ${back.rows} orders, md5 ${back.md5}`);
  if (good.rows !== back.rows || good.md5 !== back.md5) throw new Error('the rows differ');
  say('identical.');
  await summary(store);
}

const LOAD = `
  create table orders (id bigint primary key, note text, amount numeric);
  insert into orders
    select g, 'order ' || g || ' ' || repeat(md5((g % 1000)::text), 3), g * 0.01
    from generate_series(1, ${ROWS}) g;
  create index on orders (amount);`;

async function fingerprint(server: Server): Promise<{ rows: string; md5: string }> {
  return await one(
    server,
    "select count(*)::text as rows, md5(coalesce(string_agg(id || note, ',' order by id), '')) as md5 from orders",
  );
}

async function one<Row extends object>(server: Server, sql: string): Promise<Row> {
  const [row] = await server.query<Row>(sql);
  if (row === undefined) throw new Error(`no row: ${sql}`);
  return row;
}

/** Shows a command as a user types it, runs it, and shows what it printed. */
async function command(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<TsbkRun> {
  say(`$ tsbk ${args.map((arg) => arg.replace(/^\/.*\//, '…/')).join(' ')}`);
  const run = await runTsbk(args, { env });
  for (const line of `${run.stderr}${run.stdout}`.trimEnd().split('\n')) say(`    ${line}`);
  if (run.code !== 0) throw new Error(`tsbk ${args[0]} exited with ${run.code}`);
  return run;
}

async function summary(store: TestStore): Promise<void> {
  const { objects, bytes } = await store.measure();
  heading('What is in the repository');
  say(`${objects} objects, ${formatSize(bytes)}`);
  say(`demo finished in ${formatDuration(performance.now() - start)}; everything is removed again`);
}

function heading(text: string): void {
  process.stdout.write(`\n${text}\n`);
}

function say(text: string): void {
  process.stdout.write(`   ${text}\n`);
}

await main();
