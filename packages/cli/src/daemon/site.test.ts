import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { loadRunSettings } from '@tsbk/core/engine/load-run-settings';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import type { LoadedSettings } from '@tsbk/core/settings/load';
import { Sites, type Site } from './site.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsbk-site-'));
after(() => rmSync(folder, { recursive: true }));

const options = { signal: new AbortController().signal, report: () => undefined };

function settings(more: Readonly<Record<string, string>> = {}): Promise<LoadedSettings> {
  const env = { HOME: folder, WALG_FILE_PREFIX: folder, ...more };
  return loadRunSettings({ env, flags: {}, command: 'daemon' });
}

/** Tells whether the archive of a site has been closed. */
function closing({ forGet }: Site): () => boolean {
  let isClosed = false;
  const close = forGet[Symbol.asyncDispose].bind(forGet);
  Object.assign(forGet, {
    [Symbol.asyncDispose]: async () => {
      isClosed = true;
      await close();
    },
  });
  return () => isClosed;
}

const noMore = async (): Promise<never> => assert.fail('nothing is done in a closed archive');

describe('Sites', () => {
  it('keep an archive open until the last one who began with it is done, whatever the settings become', async () => {
    await using sites = await Sites.open(await settings(), options);
    const old = sites.current;
    const isClosed = closing(old);
    await sites.hold(old, async () => {
      await sites.hold(old, async () => {
        await sites.replace(await settings({ TSBK_STORAGE_PREFIX: 'other' }), options);
      });
      assert.notEqual(sites.current.place, old.place);
      assert.equal(isClosed(), false);
    });
    assert.equal(isClosed(), true);
    await assert.rejects(sites.hold(old, noMore), (error) => isTsbkError(error, 'daemon-busy'));
  });

  it('close an archive that nobody uses when there is another', async () => {
    await using sites = await Sites.open(await settings(), options);
    const old = sites.current;
    const isClosed = closing(old);
    await sites.replace(await settings(), options);
    assert.equal(isClosed(), true);
    await assert.rejects(sites.hold(old, noMore), (error) => isTsbkError(error, 'daemon-busy'));
    assert.equal(await sites.hold(sites.current, async () => 'done'), 'done');
  });

  it('stay as they are where other settings cannot be used', async () => {
    await using sites = await Sites.open(await settings(), options);
    const old = sites.current;
    const wrong = await settings({ WALG_LIBSODIUM_KEY_PATH: join(folder, 'no-such-key') });
    await assert.rejects(sites.replace(wrong, options));
    assert.equal(sites.current, old);
    assert.equal(await sites.hold(old, async () => 'done'), 'done');
  });

  it('close the archive of a failed use as that of any other', async () => {
    await using sites = await Sites.open(await settings(), options);
    const old = sites.current;
    const isClosed = closing(old);
    const failing = sites.hold(old, async () => {
      await sites.replace(await settings(), options);
      throw new Error('it failed');
    });
    await assert.rejects(failing, /it failed/);
    assert.equal(isClosed(), true);
  });
});
