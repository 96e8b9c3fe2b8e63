/** A relation of several files, and memory that does not grow with it. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { it } from 'node:test';
import { openBackupSite } from './support/backup-site.ts';
import { sha256OfFile } from './support/file-tree.ts';
import { makeThreeGib, WIDE_ROWS, WIDE_SUM, WIDE_SUM_EXPECTED } from './support/three-gib.ts';

const MIB = 1024 ** 2;
const MEMORY_MAX = 400 * MIB;

it('a relation of 3 GiB on 16 comes back byte for byte, in bounded memory', async (t) => {
  await using site = await openBackupSite({ version: 16, checksums: false });
  const files = await makeThreeGib(site.server);
  const sums = (directory: string): Promise<string[]> =>
    Promise.all(files.map((file) => sha256OfFile(join(directory, file))));
  const expected = await sums(site.server.dataDir);
  assert.equal(new Set(expected).size, 3);
  const backup = await site.push();
  assert.ok(backup.plainBytes > 3 * 1024 * MIB);
  assert.ok(backup.run.peakBytes < MEMORY_MAX, `backup-push took ${backup.run.peakBytes} bytes`);
  await using restored = await site.restore({
    // What a machine that loses power would keep is not the question here.
    env: { TSBK_TAR_DISABLE_FSYNC: 'true' },
    inspect: async (directory) => assert.deepEqual(await sums(directory), expected),
  });
  assert.ok(
    restored.run.peakBytes < MEMORY_MAX,
    `backup-fetch took ${restored.run.peakBytes} bytes`,
  );
  const [whole] = await restored.server.query(WIDE_SUM);
  assert.deepEqual(whole, { rows: WIDE_ROWS, sum: WIDE_SUM_EXPECTED });
  const figures = [backup.run, restored.run].map(
    ({ ms, peakBytes }) => `${(ms / 1000).toFixed(1)} s with ${Math.round(peakBytes / MIB)} MiB`,
  );
  t.diagnostic(`backup-push ${figures[0]}, backup-fetch ${figures[1]}`);
});
