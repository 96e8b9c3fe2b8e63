import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTsbkError } from '../../kernel/errors.ts';
import { instantFromMs } from '../../kernel/instant.ts';
import { listFolders, listObjects } from './list.ts';
import type { S3Target } from './target.ts';
import { answering } from './wire/answering.ts';
import { encodeXml } from './wire/xml.ts';

const signal = new AbortController().signal;

interface Page {
  readonly keys?: readonly string[];
  readonly folders?: readonly string[];
  readonly encoded?: boolean;
  readonly next?: string;
}

/** A service that answers with these pages in turn, the last one for ever. */
function serving(...pages: readonly Page[]): { target: S3Target; asked: () => number } {
  let asked = 0;
  const client = answering(() => {
    const page = pages[Math.min(asked, pages.length - 1)] ?? {};
    asked += 1;
    return { text: listing(page) };
  });
  const target: S3Target = {
    client,
    bucket: 'b',
    root: 'r/',
    url: 's3://b/r',
    options: { bucket: 'b', prefix: 'r' },
    clock: { now: () => instantFromMs(0), monotonicMs: () => 0, sleep: async () => {} },
  };
  return { target, asked: () => asked };
}

function listing({ keys = [], folders = [], encoded = false, next }: Page): string {
  const facts =
    '<Size>1</Size><ETag>&quot;e&quot;</ETag><LastModified>1970-01-01T00:00:00.000Z</LastModified>';
  const contents = keys.map((key) => `<Contents><Key>${encodeXml(key)}</Key>${facts}</Contents>`);
  const prefixes = folders.map(
    (folder) => `<CommonPrefixes><Prefix>${folder}</Prefix></CommonPrefixes>`,
  );
  const more = next === undefined ? '' : `<NextContinuationToken>${next}</NextContinuationToken>`;
  return (
    `<?xml version="1.0"?>\n<ListBucketResult xmlns="urn:s3"><IsTruncated>${next !== undefined}</IsTruncated>` +
    `${encoded ? '<EncodingType>url</EncodingType>' : ''}${more}${contents.join('')}${prefixes.join('')}</ListBucketResult>`
  );
}

async function keysOf(target: S3Target): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of listObjects(target, '', { signal })) keys.push(key);
  return keys;
}

async function isBroken(list: Promise<unknown>): Promise<void> {
  await assert.rejects(list, (error) => isTsbkError(error, 'store-failed'));
}

describe('a list of S3', () => {
  it('leaves out folder markers, other odd names, and what comes twice', async () => {
    const { target } = serving(
      { keys: ['r/', 'r/a', 'r/a/../b', 'r/a//b', 'r/b'], next: '1' },
      { keys: ['r/b', 'r/c', 'r/c/'] },
    );
    assert.deepEqual(await keysOf(target), ['a', 'b', 'c']);
  });

  it('is decoded if the service says that it is encoded, and only then', async () => {
    const encoded = serving({ encoded: true, keys: ['r/a%2Bb+c%25', 'r/b%0Ac', 'r/%C3%BC'] });
    assert.deepEqual(await keysOf(encoded.target), ['a+b c%', 'ü']);
    const plain = serving({ keys: ['r/a%2Bb+c%'] });
    assert.deepEqual(await keysOf(plain.target), ['a%2Bb+c%']);
  });

  it('that is out of order is refused', async () => {
    await isBroken(keysOf(serving({ keys: ['r/b', 'r/a'] }).target));
    await isBroken(keysOf(serving({ keys: ['r/b'], next: '1' }, { keys: ['r/a'] }).target));
  });

  it('that goes round in circles is refused', async () => {
    await isBroken(keysOf(serving({ keys: ['r/a'], next: '1' }).target));
    const empty = Array.from({ length: 1000 }, (_, index) => ({ next: String(index) }));
    const { target, asked } = serving(...empty);
    await isBroken(keysOf(target));
    assert.ok(asked() < 200);
  });

  it('of folders has each once', async () => {
    const { target } = serving(
      { folders: ['r/a/', 'r/b/'], next: '1' },
      { folders: ['r/b/', 'r/c/'] },
    );
    const names: string[] = [];
    for await (const name of listFolders(target, '', { signal })) names.push(name);
    assert.deepEqual(names, ['a', 'b', 'c']);
  });
});
