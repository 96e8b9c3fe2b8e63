/** Servers of every version understand the settings of a restore, whatever theirs were before. */
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeRecoveryFiles } from '@tsbk/core/cluster/recovery-files';
import { toLsn } from '@tsbk/core/kernel/lsn';
import { recoverySettings } from '@tsbk/core/restore/recovery-settings';
import { parseTarget, type RecoveryTarget } from '@tsbk/core/restore/target';
import {
  POSTGRES_VERSIONS,
  scratchPath,
  startFrom,
  type PostgresVersion,
} from './support/postgres.ts';
import { makeCluster } from './support/postgres/cluster.ts';

/** Targets that a server without archive can only fail to reach; and it says which. */
const UNREACHED: readonly (readonly [RecoveryTarget, RegExp])[] = [
  [{ kind: 'immediate' }, /starting point-in-time recovery to earliest consistent point/],
  [
    parseTarget({ time: '2126-11-22 10:00:00.25+01' }, { localZone: 'UTC' }),
    /starting point-in-time recovery to 2126-11-22 09:00:00\.25\+00/,
  ],
  [
    { kind: 'lsn', lsn: toLsn(0xff_0000_0060n), inclusive: true },
    /starting point-in-time recovery to WAL location \(LSN\) "FF\/60"/,
  ],
  [
    { kind: 'xid', xid: 4_000_000_000, inclusive: false },
    /starting point-in-time recovery to XID 4000000000/,
  ],
  [
    { kind: 'name', name: "it's – a 'name' \\ %f" },
    /starting point-in-time recovery to "it's – a 'name' \\ %f"/,
  ],
];

async function prepared(version: PostgresVersion, target: RecoveryTarget): Promise<string> {
  const dataDir = scratchPath('data');
  await makeCluster(dataDir, { version });
  // What an administrator and an earlier restore may have left.
  appendFileSync(
    join(dataDir, 'postgresql.conf'),
    "\nrecovery_target_xid = '731'\nrecovery_target_inclusive = off\nlog_timezone = 'UTC'\ntimezone = 'UTC'\nDateStyle = 'SQL, DMY'\n",
  );
  appendFileSync(
    join(dataDir, 'postgresql.auto.conf'),
    "recovery_target_name = 'old'\nrecovery_target_time = '2020-01-01 00:00:00+00'\nrecovery_target_action = 'shutdown'\n",
  );
  writeFileSync(join(dataDir, 'standby.signal'), '');
  const settings = recoverySettings({
    target,
    timeline: 'latest',
    action: 'promote',
    standby: false,
    restoreCommand: 'test "%f" = never',
  });
  await writeRecoveryFiles(dataDir, { ...settings, mode: 0o600 });
  assert.ok(!existsSync(join(dataDir, 'standby.signal')));
  return dataDir;
}

for (const version of POSTGRES_VERSIONS) {
  test(`PostgreSQL ${version} takes one target, the one of the restore`, async () => {
    const dataDir = await prepared(version, { kind: 'latest' });
    await using server = await startFrom(dataDir, { version, waitFor: 'end-of-recovery' });
    const set = await server.query(
      "select name from pg_settings where name ~ '^recovery_target(_time|_xid|_name|_lsn)?$' and setting <> ''",
    );
    assert.deepEqual(set, []);
    // A server that fails to start takes its time: each kind once, on the first and the last.
    const isEdge = version === POSTGRES_VERSIONS[0] || version === POSTGRES_VERSIONS.at(-1);
    for (const [target, said] of isEdge ? UNREACHED : UNREACHED.slice(1, 2)) {
      const dataDir = await prepared(version, target);
      await assert.rejects(startFrom(dataDir, { version, waitFor: 'end-of-recovery' }), said);
    }
  });
}
