import assert from 'node:assert/strict';
import { link, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isTsbkError, TsbkError } from '../../kernel/errors.ts';
import { createDirectorySync } from './durable-directory.ts';
import { publish, type Publication } from './publish.ts';

interface Place extends AsyncDisposable {
  readonly path: string;
  /** A written file that is to become `target`. */
  prepare(content: string, extra?: Partial<Publication>): Promise<Publication>;
}

async function place(): Promise<Place> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'tsbk-publish-')));
  let count = 0;
  return {
    path,
    prepare: async (content, extra = {}) => {
      count += 1;
      const temp = join(path, `target.tmp.20250101T000000Z-000000000000000${count}`);
      await writeFile(temp, content);
      return {
        temp,
        target: join(path, 'target'),
        ifAbsent: true,
        root: { path, directoryMode: 0o700, fileMode: 0o600 },
        sync: createDirectorySync(),
        ...extra,
      };
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true }),
  };
}

const unsupported = (): Promise<never> =>
  Promise.reject(Object.assign(new Error('no links here'), { code: 'EPERM' }));

describe('publishing a file', () => {
  for (const extra of [{}, { link: unsupported }]) {
    const where = 'link' in extra ? 'without hard links' : 'with hard links';

    it(`gives it its name and leaves nothing else, ${where}`, async () => {
      await using at = await place();
      assert.equal(await publish(await at.prepare('one', extra)), 'stored');
      assert.deepEqual(await readdir(at.path), ['target']);
      assert.equal(await readFile(join(at.path, 'target'), 'utf8'), 'one');
    });

    it(`does not replace anything if it must not, ${where}`, async () => {
      await using at = await place();
      await publish(await at.prepare('one', extra));
      assert.equal(await publish(await at.prepare('two', extra)), 'exists');
      assert.deepEqual(await readdir(at.path), ['target']);
      assert.equal(await readFile(join(at.path, 'target'), 'utf8'), 'one');
    });

    it(`replaces if it may, ${where}`, async () => {
      await using at = await place();
      await publish(await at.prepare('one', extra));
      assert.equal(await publish(await at.prepare('two', { ...extra, ifAbsent: false })), 'stored');
      assert.equal(await readFile(join(at.path, 'target'), 'utf8'), 'two');
    });
  }

  it('believes that it was its own link if the answer was lost', async () => {
    await using at = await place();
    const publication = await at.prepare('one', {
      link: async (from, to) => {
        await link(from, to);
        throw Object.assign(new Error('it exists'), { code: 'EEXIST' });
      },
    });
    assert.equal(await publish(publication), 'stored');
  });

  it('takes the name back if it cannot be made durable', async () => {
    await using at = await place();
    const sync = (): Promise<never> => Promise.reject(new TsbkError('store-failed', 'EIO'));
    await assert.rejects(publish(await at.prepare('one', { sync })), /EIO/);
    assert.equal((await readdir(at.path)).includes('target'), false);
  });

  it('is refused, to be tried again, while another process is at it', async () => {
    await using at = await place();
    const lock = join(at.path, 'target.tmp.19700101T000000Z-0000000000000000');
    await writeFile(lock, '');
    const publication = await at.prepare('one', { link: unsupported });
    await assert.rejects(publish(publication), (error) => {
      assert.ok(isTsbkError(error, 'store-failed'));
      assert.equal(error.retry, true);
      assert.ok(error.hint?.includes(lock));
      return true;
    });
    await rm(lock);
    assert.equal(await publish(publication), 'stored');
  });
});
