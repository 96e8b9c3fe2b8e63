/** A server with a backlog: what looks ahead of its archiver, killed in the middle, loses nothing of it. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { archiveEverything } from './support/archiving-server.ts';
import { eventually } from './support/eventually.ts';
import { openModelStore } from './support/model-store.ts';
import { scratchPath, startPostgres, type Server } from './support/postgres.ts';
import { childrenOf } from './support/process-tree.ts';
import { sameBytes } from './support/same-bytes.ts';
import { installedTsbk } from './support/tsbk.ts';
import { getWal, serverFolder } from './support/wal-commands.ts';

const SEGMENTS = 24;

/** Names under `archive_status`, of marks that end so. */
function marked(server: Server, end: '.ready' | '.done'): string[] {
  return readdirSync(join(server.dataDir, 'pg_wal/archive_status'))
    .filter((name) => name.endsWith(end))
    .map((name) => name.slice(0, -end.length))
    .sort();
}

async function endSegments(server: Server, count: number): Promise<void> {
  for (let number = 1; number <= count; number += 1) {
    await server.query("select pg_logical_emit_message(false, 'tsbk', repeat('x', 5000))");
    await server.query('select pg_switch_wal()');
  }
}

async function archiverPid(server: Server): Promise<number> {
  const [row] = await server.query<{ pid: number }>(
    "select pid from pg_stat_activity where backend_type = 'archiver'",
  );
  return row?.pid ?? 0;
}

describe('A backlog', () => {
  it('is pushed ahead, survives kill -9 in the middle of that, and is archived whole by PostgreSQL itself', async () => {
    await using store = await openModelStore();
    const { archivePush, env } = installedTsbk();
    const switchFile = scratchPath('command');
    const kept = serverFolder('kept');
    writeFileSync(switchFile, '/bin/false\n');
    await using server = await startPostgres({
      version: 17,
      walSegmentMb: 1,
      // Keeps a copy of what PostgreSQL offers, to compare with after it has recycled the segment.
      archiveCommand: `cp -n %p ${kept}/%f; $(cat ${switchFile}) %p`,
      env: { ...env, ...store.env },
    });
    await endSegments(server, SEGMENTS);
    const backlog = marked(server, '.ready');
    assert.ok(backlog.length >= SEGMENTS, `${backlog.length}`);
    const pushed = join(server.dataDir, 'pg_stat_tmp/tsbk/pushed');
    const hanging = backlog[12] ?? '';
    const fault = { kind: 'hang' } as const;
    store.model.addRule({ operation: 'PutObject', key: new RegExp(hanging), times: 99, fault });

    writeFileSync(switchFile, `${archivePush}\n`);
    await server.query('select pg_reload_conf()');
    // The first call has stored what it was asked for, and is kept from ending.
    const remembered = await eventually('the look-ahead to be under way', async () => {
      const names = store.walKeys().length < 12 ? [] : readdirSync(pushed);
      return names.length >= 10 ? names : undefined;
    });
    assert.ok(!remembered.includes(hanging));
    assert.deepEqual(marked(server, '.done'), []);
    for (const pid of leavesBelow(await archiverPid(server))) process.kill(pid, 'SIGKILL');
    store.recover();

    const last = await archiveEverything(server);
    const offered = readdirSync(kept).sort();
    assert.deepEqual(
      backlog.filter((name) => !offered.includes(name)),
      [],
    );
    assert.ok(offered.includes(last));
    const stored = store.walKeys().map((key) => key.replace(/^.*\/|\.lz4$/g, ''));
    assert.deepEqual(stored, offered);
    assert.deepEqual(marked(server, '.ready'), []);
    const destination = join(serverFolder('fetched'), 'x');
    for (const name of offered.filter((_, index) => index % 6 === 0)) {
      assert.equal((await getWal([name, destination], store.env)).code, 0);
      sameBytes(readFileSync(destination), readFileSync(join(kept, name)));
    }
  });
});

/** The program itself. Its launcher lives on, as the archiver would not survive what becomes of a killed one. */
function leavesBelow(pid: number): number[] {
  const children = childrenOf(pid);
  return children.length === 0 ? [pid] : children.flatMap(leavesBelow);
}
