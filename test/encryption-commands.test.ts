/** What the commands do with an OpenPGP key of which the host has only the public half, or none. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type GpgHome, gpgIsMissing, openGpgHome } from './support/gpg.ts';
import { type TsbkRun } from './support/tsbk.ts';
import { filesBelow, getWal, pushWal, serverFolder } from './support/wal-commands.ts';
import { segmentContent, segmentName, writeWalFile } from './support/wal-file.ts';
import { runWalg, walgLacks } from './support/walg.ts';

const SEGMENT = segmentName(1);
const CONFLICT = 65;
const CANNOT_KNOW = 200;

type Env = Readonly<Record<string, string>>;

function answers(run: TsbkRun, code: number, ...parts: readonly RegExp[]): void {
  assert.equal(run.code, code, run.stderr);
  for (const part of parts) assert.match(run.stderr, part);
}

describe('with an OpenPGP key', { skip: gpgIsMissing }, () => {
  let home: GpgHome;
  before(async () => {
    home = await openGpgHome('rsa2048');
  });
  after(() => home[Symbol.asyncDispose]());

  /** A repository, as the archiving host and as the restoring one see it. */
  const place = (): { root: string; wal: string; writer: Env; reader: Env } => {
    const root = serverFolder('repo');
    const store = { WALG_FILE_PREFIX: root };
    return {
      root,
      wal: serverFolder('wal'),
      writer: { ...store, WALG_PGP_KEY_PATH: home.publicKeyPath },
      reader: {
        ...store,
        WALG_PGP_KEY: home.privateKey.replaceAll('\n', String.raw`\n`),
        WALG_PGP_KEY_PASSPHRASE: home.passphrase,
      },
    };
  };

  it('WAL that the public key archived is fetched with the private one, and only with it', async () => {
    const at = place();
    const content = segmentContent(SEGMENT);
    answers(await pushWal(writeWalFile(at.wal, SEGMENT, content), at.writer), 0);
    const got = join(at.wal, 'got');
    answers(await getWal([SEGMENT, got], at.writer), CANNOT_KNOW, /\[key-missing\]/, /public/);
    answers(await getWal([SEGMENT, got], at.reader), 0);
    assert.ok(readFileSync(got).equals(content));
    const wrong = { ...at.reader, WALG_PGP_KEY_PASSPHRASE: 'no' };
    const refused = await getWal([SEGMENT, join(at.wal, 'x')], wrong);
    answers(refused, CANNOT_KNOW, /\[wrong-key\]/, /does not unlock/);
    assert.ok(!refused.stderr.includes('PRIVATE KEY'));
  });

  it('gpg and lz4 read what was archived', async () => {
    const at = place();
    answers(await pushWal(writeWalFile(at.wal, SEGMENT, segmentContent(SEGMENT)), at.writer), 0);
    const opened = await home.gpg('--decrypt', join(at.root, 'wal_005', `${SEGMENT}.lz4`));
    assert.equal(opened.readUInt32LE(0), 0x184d2204);
  });

  it('the same WAL again is recognised without reading it, other content refused', async () => {
    const at = place();
    const path = writeWalFile(at.wal, SEGMENT, segmentContent(SEGMENT));
    answers(await pushWal(path, at.writer), 0);
    const stored = filesBelow(at.root);
    answers(await pushWal(path, at.writer), 0, /archived before, with the same content/);
    answers(await pushWal(path, at.reader), 0, /archived before, with the same content/);
    writeWalFile(at.wal, SEGMENT, segmentContent(SEGMENT, { seed: 'other' }));
    answers(await pushWal(path, at.writer), CONFLICT, /\[wal-conflict\]/);
    answers(await pushWal(path, at.reader), CONFLICT, /\[wal-conflict\]/);
    assert.deepEqual(filesBelow(at.root), stored);
  });

  it('WAL is archived after a crash at any write of the push', async () => {
    for (const at of [1, 2, 3]) {
      const { root, wal, writer } = place();
      const path = writeWalFile(wal, SEGMENT, segmentContent(SEGMENT));
      const crash = { ...writer, TSBK_FAILPOINT: `put-done:${at}:kill` };
      const crashed = await pushWal(path, crash);
      assert.notEqual(crashed.code, 0, `write ${at}`);
      answers(await pushWal(path, writer), 0);
      assert.ok(filesBelow(root).includes(`wal_005/${SEGMENT}.lz4`));
    }
  });

  it('WAL without a digest that nobody here can compare is neither taken nor replaced', async () => {
    const at = place();
    const path = writeWalFile(at.wal, SEGMENT, segmentContent(SEGMENT));
    answers(await pushWal(path, at.writer), 0);
    rmSync(join(at.root, 'wal_005', `${SEGMENT}.lz4.sha256`));
    const before = readFileSync(join(at.root, 'wal_005', `${SEGMENT}.lz4`));
    answers(await pushWal(path, at.writer), 1, /\[key-missing\]/, /cannot be told here/);
    assert.ok(readFileSync(join(at.root, 'wal_005', `${SEGMENT}.lz4`)).equals(before));
    // The hint: archive it once from where the private key is. That leaves the digest.
    answers(await pushWal(path, at.reader), 0);
    answers(await pushWal(path, at.writer), 0, /archived before/);
  });

  it('WAL travels to wal-g and back', { skip: walgLacks() }, async () => {
    const at = place();
    const content = segmentContent(SEGMENT);
    const path = writeWalFile(at.wal, SEGMENT, content);
    answers(await pushWal(path, at.writer), 0);
    const byWalg = join(at.wal, 'by-walg');
    answers(await runWalg(['wal-fetch', SEGMENT, byWalg], { env: at.reader }), 0);
    assert.ok(readFileSync(byWalg).equals(content));
    const other = place();
    answers(await runWalg(['wal-push', path], { env: other.writer }), 0);
    const byTsbk = join(other.wal, 'by-tsbk');
    answers(await getWal([SEGMENT, byTsbk], other.reader), 0);
    assert.ok(readFileSync(byTsbk).equals(content));
    // wal-g leaves no digest: only who can read can tell that it is the same.
    answers(await pushWal(path, other.writer), 1, /\[key-missing\]/);
    answers(await pushWal(path, other.reader), 0, /archived before/);
  });
});
