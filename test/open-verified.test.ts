import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import { openVerified } from '@tsbk/core/repository/open-verified';
import type { Repository } from '@tsbk/core/repository/repository';
import type { ObjectRecord } from '@tsbk/core/ports/extract';
import { createObject } from '@tsbk/core/repository/write-object';
import { collect } from '@tsbk/core/stream/collect';
import { sourceOf } from '@tsbk/core/stream/source';
import { openDirectory } from './support/walg-cases.ts';

const { signal } = new AbortController();
const CONTENT = Buffer.alloc(5_000_000, 'tsbk ');

describe('an object with a record', () => {
  let root: string;
  let repository: Repository;
  let key: string;
  let record: ObjectRecord;

  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'tsbk-verified-'));
    repository = await openDirectory(root);
    const object = { key: 'folder/object', source: sourceOf(CONTENT) };
    const receipt = await createObject(repository, object, { signal });
    ({ key } = receipt);
    record = { plain: receipt.plain, stored: receipt.stored };
  });

  after(() => rmSync(root, { recursive: true }));

  const read = async (expected: ObjectRecord | undefined, of = key): Promise<Buffer> => {
    const object = { key: of, extension: 'lz4', record: expected };
    const source = await openVerified(repository, object, { signal });
    return await collect(source, { maxBytes: CONTENT.length, what: key });
  };

  it('is read whole', async () => {
    assert.ok((await read(record)).equals(CONTENT));
    assert.ok((await read(undefined)).equals(CONTENT));
  });

  it('that is another one is refused', async () => {
    const { plain, stored } = record;
    const other = '0'.repeat(64);
    for (const wrong of [
      { plain, stored: { ...stored, bytes: stored.bytes + 1 } },
      { plain, stored: { ...stored, sha256: other } },
      { plain: { ...plain, sha256: other }, stored },
      { plain: { ...plain, bytes: plain.bytes + 1 }, stored },
    ]) {
      await assert.rejects(read(wrong), (error) => isTsbkError(error, 'object-corrupt'));
    }
  });

  it('that swells is refused before its end', async () => {
    const { plain, stored } = record;
    const small = { stored, plain: { ...plain, bytes: 1000 } };
    const source = await openVerified(
      repository,
      { key, extension: 'lz4', record: small },
      { signal },
    );
    let bytes = 0;
    await assert.rejects(async () => {
      for await (const chunk of source) bytes += chunk.length;
    }, /holds more than was backed up/);
    assert.equal(bytes, 0);
  });

  it('that is not there is refused', async () => {
    await assert.rejects(read(record, 'folder/other.lz4'), (error) =>
      isTsbkError(error, 'object-missing'),
    );
  });
});
