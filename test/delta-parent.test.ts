/** What a delta does to the records of the backups that it stands on, and where it asks whether it may. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { keepChain } from '@tsbk/core/backup/keep-chain';
import type { ParentBackup } from '@tsbk/core/backup/parent';
import { parentProblem } from '@tsbk/core/backup/parent-problem';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import { toLsn } from '@tsbk/core/kernel/lsn';
import { toInstant } from '@tsbk/core/kernel/instant';
import { fakeRepository, type FakeRepository } from './support/fake-repository.ts';

const root = mkdtempSync(join(tmpdir(), 'tsbk-delta-parent-'));
const { signal } = new AbortController();
after(() => rmSync(root, { recursive: true, force: true }));

function parentOf(chain: readonly string[], more: Partial<ParentBackup> = {}): ParentBackup {
  const [name = ''] = chain;
  const startLsn = toLsn(0x300_0028n);
  return {
    name,
    segment: '000000010000000000000003',
    link: { from: name, fullName: chain.at(-1) ?? '', lsn: startLsn, count: 1 },
    startLsn,
    stopLsn: toLsn(0x300_0100n),
    timeline: 1,
    chain,
    manifest: undefined,
    ...more,
  };
}

function twoBackups(site: FakeRepository): readonly [string, string] {
  const at = (number: bigint): string =>
    site.backup({
      startLsn: toLsn(number * 0x100_000n),
      stopLsn: toLsn(number * 0x100_000n + 256n),
      startTime: toInstant(0n),
      finishTime: toInstant(1n),
    });
  return [at(5n), at(9n)];
}

test('a permanent delta makes everything under it permanent, and loses nothing of their records', async () => {
  const site = fakeRepository(join(root, 'permanent'));
  const chain = twoBackups(site);
  const record = '{"start_lsn":9223372036854775809,"is_permanent":false,"later":{"x":[1,null]}}';
  for (const name of chain) site.put(`basebackups_005/${name}/metadata.json`, record);
  const repository = await site.open();
  const read = (name: string): string =>
    readFileSync(join(site.root, `basebackups_005/${name}/metadata.json`), 'utf8');

  await keepChain(repository, parentOf(chain), { permanent: false, signal });
  for (const name of chain) assert.equal(read(name), record);
  await keepChain(repository, parentOf(chain), { permanent: true, signal });
  const marked = '{"start_lsn":9223372036854775809,"later":{"x":[1,null]},"is_permanent":true}';
  for (const name of chain) assert.equal(read(name), marked);
});

test('a delta is not completed when a backup under it is gone', async () => {
  const site = fakeRepository(join(root, 'gone'));
  const [parent, full] = twoBackups(site);
  site.remove(`basebackups_005/${full}_backup_stop_sentinel.json`);
  await assert.rejects(
    keepChain(await site.open(), parentOf([parent, full]), { permanent: false, signal }),
    (error) => isTsbkError(error, 'backup-missing') && error.message.includes(full),
  );
});

test('a parent must end before the delta starts, and lie on the way there', async () => {
  const site = fakeRepository(join(root, 'way'));
  site.put('wal_005/00000003.history', '1\t0/3000100\tno reason\n2\t0/5000000\tno reason\n');
  const repository = await site.open();
  const problem = (timeline: number, startLsn: bigint, more: Partial<ParentBackup> = {}) =>
    parentProblem(
      repository,
      { parent: parentOf(['base_p'], more), start: { timeline, startLsn: toLsn(startLsn) } },
      { signal },
    );
  assert.equal(await problem(1, 0x300_0100n), undefined);
  assert.match((await problem(1, 0x300_00ffn)) ?? '', /ends at 0\/3000100/);
  assert.equal(await problem(3, 0x600_0028n), undefined);
  const beyond = { stopLsn: toLsn(0x300_0101n) };
  assert.match((await problem(3, 0x600_0028n, beyond)) ?? '', /beyond where timeline 3 comes from/);
  assert.match((await problem(3, 0x600_0028n, { timeline: 4 })) ?? '', /beyond/);
  assert.match((await problem(2, 0x600_0028n)) ?? '', /no history of 2/);
});
