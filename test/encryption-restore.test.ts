/** That a wrong or missing key is told before a restore begins, and where nothing can be read. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import { readCatalog } from '@tsbk/core/repository/catalog';
import { requireKey } from '@tsbk/core/repository/require-key';
import { openBackupSite, type BackupSite } from './support/backup-site.ts';
import { type GpgHome, gpgIsMissing, openGpgHome } from './support/gpg.ts';
import { scratchPathForServerUser } from './support/postgres.ts';
import { openDirectory, walgCases, walgFolder } from './support/walg-cases.ts';

const { signal } = new AbortController();
/** Keys for tests. They protect nothing. */
const SODIUM = { WALG_LIBSODIUM_KEY: '2a'.repeat(32), WALG_LIBSODIUM_KEY_TRANSFORM: 'hex' };
const WRONG_SODIUM = { ...SODIUM, WALG_LIBSODIUM_KEY: '2b'.repeat(32) };

describe('a backup by WAL-G, which records no key', () => {
  for (const given of walgCases().filter(({ complete }) => complete)) {
    it(`proves its key by its smallest tar: ${given.case}`, async () => {
      const root = walgFolder(given);
      const right = await openDirectory(root, given.env);
      const [backup] = (await readCatalog(right, { signal })).backups;
      assert.ok(backup !== undefined);
      await requireKey(right, backup, { signal });
      const wrong = await openDirectory(root, WRONG_SODIUM);
      await assert.rejects(requireKey(wrong, backup, { signal }), (error: Error) =>
        isTsbkError(error, 'wrong-key'),
      );
      if (!('WALG_LIBSODIUM_KEY' in given.env)) return;
      const none = await openDirectory(root);
      await assert.rejects(requireKey(none, backup, { signal }), /no key is configured, or/);
    });
  }
});

describe('a backup of a host with the public OpenPGP key', { skip: gpgIsMissing }, () => {
  let home: GpgHome;
  let site: BackupSite;
  let name: string;
  const reader = (): Readonly<Record<string, string>> => ({
    WALG_PGP_KEY_PATH: home.privateKeyPath,
    WALG_PGP_KEY_PASSPHRASE: home.passphrase,
  });
  const refused = async (env: Readonly<Record<string, string>>, ...parts: readonly RegExp[]) => {
    const destination = scratchPathForServerUser('refused');
    for (const plan of [[], ['--plan']]) {
      const run = await site.tsbk(['backup-fetch', destination, 'LATEST', ...plan], { env });
      assert.equal(run.code, 1, run.stderr);
      for (const part of parts) assert.match(run.stderr, part);
      assert.ok(!existsSync(destination));
    }
  };

  before(async () => {
    home = await openGpgHome('future-default');
    site = await openBackupSite({
      version: 17,
      tsbkEnv: { WALG_PGP_KEY_PATH: home.publicKeyPath },
    });
    await site.server.query('create table kept as select generate_series(1, 1000) as n');
    ({ name } = await site.push());
  });
  after(async () => {
    await site[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });

  it('is listed and shown there', async () => {
    assert.deepEqual(await site.list(), [name]);
    const shown = await site.tsbk(['backup-show', name]);
    assert.equal(shown.code, 0, shown.stderr);
    assert.match(shown.stdout, /made by +tsbk/);
    assert.match(shown.stdout, /all archived/);
  });

  it('is restored with the private key', async () => {
    await using restored = await site.restore({ env: reader() });
    const [row] = await restored.server.query<{ n: string }>('select count(*) as n from kept');
    assert.equal(Number(row?.n), 1000);
  });

  it('is not begun to be restored with the public key, another cipher or a wrong passphrase', async () => {
    await refused({}, /\[key-missing\]/, /only the public OpenPGP key is configured/);
    const { WALG_PGP_KEY_PASSPHRASE: _, ...locked } = reader();
    await refused(locked, /\[key-missing\]/, /locked and no passphrase/);
    await refused(
      { ...reader(), WALG_PGP_KEY_PASSPHRASE: 'no' },
      /\[wrong-key\]/,
      /does not unlock/,
    );
    const sodium = { ...SODIUM, WALG_PGP_KEY_PATH: '' };
    await refused(sodium, /is encrypted by openpgp, and a key for libsodium is configured/);
  });

  it('check says what it could not prove there, and proves it with the private key', async () => {
    const here = await site.tsbk(['check']);
    assert.match(here.stdout, /encrypted by openpgp, key [0-9a-f]{16}\), read and removed/);
    assert.match(here.stdout, /cannot be proven here: .*only the public OpenPGP key/);
    assert.match(here.stdout, /was archived; reading it back needs the private key/);
    assert.equal(here.code, 0, here.stdout + here.stderr);
    const there = await site.tsbk(['check'], { env: reader() });
    assert.doesNotMatch(there.stdout, /proven/);
    assert.match(there.stdout, /was archived and read back whole/);
    assert.equal(there.code, 0, there.stdout + there.stderr);
  });
});

describe('a backup under libsodium with a key from a command', () => {
  it('records the id of its key, by which a wrong key is told before a restore begins', async () => {
    const command = `printf ${SODIUM.WALG_LIBSODIUM_KEY}`;
    const tsbkEnv = { TSBK_KEY_COMMAND: command, WALG_LIBSODIUM_KEY_TRANSFORM: 'hex' };
    await using site = await openBackupSite({ version: 17, tsbkEnv });
    await site.push();
    const destination = scratchPathForServerUser('refused');
    const fetch = (env: Readonly<Record<string, string>>) =>
      site.tsbk(['backup-fetch', destination, 'LATEST'], { env });
    const wrong = await fetch({ TSBK_KEY_COMMAND: `printf ${WRONG_SODIUM.WALG_LIBSODIUM_KEY}` });
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /\[wrong-key\]/);
    assert.match(wrong.stderr, /with the key [0-9a-f]{16}, and the configured one is [0-9a-f]{16}/);
    const none = await fetch({ TSBK_KEY_COMMAND: '' });
    assert.match(none.stderr, /is encrypted by libsodium, and no key is configured/);
    const failing = await fetch({ TSBK_KEY_COMMAND: 'echo the vault is sealed >&2; exit 1' });
    assert.equal(failing.code, 2);
    assert.match(failing.stderr, /the vault is sealed/);
    assert.ok(!existsSync(destination));
    for (const { stderr } of [wrong, none, failing]) assert.ok(!stderr.includes('2a2a2a'));
    await using restored = await site.restore();
    assert.ok(restored.server.port > 0);
  });
});
