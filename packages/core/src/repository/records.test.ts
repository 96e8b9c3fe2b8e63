import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { asObject } from '../format/json-fields.ts';
import { parseJson } from '../format/json.ts';
import { parseInstant, toInstant } from '../kernel/instant.ts';
import { toLsn } from '../kernel/lsn.ts';
import { toSystemId } from '../kernel/system-id.ts';
import { chunked } from '../stream/chunked.ts';
import { collect } from '../stream/collect.ts';
import { openSpool } from '../stream/spool.ts';
import { fileList } from './file-list.ts';
import { parseFilesMetadata, type FileEntry } from './files-metadata.ts';
import { formatMetadata, parseMetadata } from './metadata.ts';
import { formatSentinel, parseSentinel, type MadeSentinel } from './sentinel.ts';
import { formatSideRecord, parseSideRecord } from './side-record.ts';

const WHAT = 'record under test';

const FULL: MadeSentinel = {
  startLsn: toLsn(0xffff_ffff_ffff_ff28n),
  delta: undefined,
  stopLsn: toLsn(0xffff_ffff_ffff_fff0n),
  pgVersion: 170_010,
  systemId: toSystemId('18446744073709551615'),
  plainBytes: 1_073_741_824,
  storedBytes: 1000,
  dataCatalogBytes: 1_073_741_824,
  tablespaces: {
    basePrefix: '/var/lib/pg',
    tablespaces: [{ oid: '16400', location: '/mnt/a <b> & c' }],
  },
  userData: { reason: 'before <upgrade>', ticket: 9_007_199_254_740_993n },
  startTime: parseInstant('2026-08-21T18:02:35.123457Z') ?? toInstant(0n),
  finishTime: parseInstant('2026-08-21T18:03:35Z') ?? toInstant(0n),
  hostname: 'db1',
  dataDir: '/var/lib/pg',
  permanent: true,
  encryption: { cipher: 'libsodium', keyId: '0123456789abcdef' },
};

test('a sentinel comes back as it was written, 64-bit integers exact', () => {
  const read = parseSentinel(parseJson(formatSentinel(FULL), { what: WHAT }), WHAT);
  const { permanent, ...rest } = FULL;
  const { permanentAtPush, filesMetadataDisabled, ...others } = read;
  assert.equal(permanentAtPush, permanent);
  assert.equal(filesMetadataDisabled, false);
  assert.deepEqual(others, { ...rest, userData: read.userData });
});

test('the sentinel of a delta says of what, in the four keys that WAL-G needs', () => {
  const delta = { from: 'base_1_D_0', fullName: 'base_0', lsn: toLsn(2n ** 63n), count: 2 };
  const text = formatSentinel({ ...FULL, delta });
  assert.match(
    text,
    /^\{"LSN":\d+,"DeltaLSN":9223372036854775808,"DeltaFrom":"base_1_D_0","DeltaFullName":"base_0","DeltaCount":2,"PgVersion":/,
  );
  assert.deepEqual(parseSentinel(parseJson(text, { what: WHAT }), WHAT).delta, delta);
});

test('a sentinel has WAL-G’s keys, and its escapes of HTML characters', () => {
  const text = formatSentinel(FULL);
  assert.match(text, /^\{"LSN":18446744073709551400,"PgVersion":170010,"FinishLSN":/);
  assert.match(text, /"ChkpNum":null,"Version":2,"StartTime":"2026-08-21T18:02:35\.123457Z"/);
  assert.match(text, /before \\u003cupgrade\\u003e/);
  assert.match(text, /"TsbkCipher":"libsodium","TsbkKeyId":"0123456789abcdef"\}$/);
  assert.doesNotMatch(text, /DeltaFrom|[<>&]/);
});

test('parseSentinel reads what every WAL-G wrote: null Spec, lower-case spec, old delta key', () => {
  const read = (text: string) => parseSentinel(parseJson(text, { what: WHAT }), WHAT);
  assert.equal(read('{"LSN":100663336,"Spec":null,"FinishLSN":null}').stopLsn, undefined);
  const old = read(
    '{"LSN":5,"DeltaFromLSN":3,"DeltaFrom":"base_x","DeltaFullName":"base_x","DeltaCount":1}',
  );
  assert.deepEqual(old.delta, { from: 'base_x', fullName: 'base_x', lsn: 3n, count: 1 });
  const spec =
    '{"spec":{"base_prefix":"/d","tablespaces":["7"],"7":{"loc":"/t","link":"pg_tblspc/7"}}}';
  assert.deepEqual(read(spec).tablespaces, {
    basePrefix: '/d',
    tablespaces: [{ oid: '7', location: '/t' }],
  });
});

test('parseSentinel refuses a delta that says of what only by half', () => {
  const text = '{"LSN":5,"DeltaFrom":"base_x"}';
  assert.throws(() => parseSentinel(parseJson(text, { what: WHAT }), WHAT), /DeltaLSN/);
});

test('records of the wrong types are refused, naming the document', () => {
  for (const text of ['[]', '"x"', '{"LSN":"0/1"}', '{"LSN":-1}', '{"PgVersion":1.5}']) {
    const value = parseJson(text, { what: WHAT });
    assert.throws(() => parseSentinel(value, WHAT), /record under test/, text);
  }
});

test('metadata comes back as it was written', () => {
  const read = parseMetadata(parseJson(formatMetadata(FULL), { what: WHAT }), WHAT);
  assert.equal(read.permanent, true);
  assert.equal(read.startLsn, FULL.startLsn);
  assert.equal(read.systemId, FULL.systemId);
  assert.equal(read.startTime, FULL.startTime);
  assert.equal(read.storedBytes, FULL.storedBytes);
});

test('files metadata comes back as it was written, whatever the names', async () => {
  const names = ['/', '/base/5/1259', '/größe "x" \\ \u2028', '/__proto__', '/a\nb'];
  const tars = ['part_001.tar.lz4', 'empty.tar'];
  const text = await documentOf(names, tars);
  const modified = '2023-11-14T22:13:20Z';
  const files = names.map((name) => ({ name, incremented: false, skipped: false, modified }));
  assert.deepEqual(await filesOf(text), { files, tars });
  const { TarFileSets: sets } = asObject(parseJson(text, { what: WHAT }), WHAT);
  assert.deepEqual(sets, { 'part_001.tar.lz4': names, 'empty.tar': [] });
});

test('files metadata is read whatever WAL-G wrote into it, keys in any case', async () => {
  const text = `{"files":{
    "/a":{"IsIncremented":true,"MTime":"2026-01-01T00:00:00Z","UpdatesCount":18446744073709551615,
          "CorruptBlocks":{"CorruptBlocksCount":1,"SomeCorruptBlocks":[7]}},
    "/b":{"isskipped":true,"IsIncremented":null}, "/c":{}},
    "TarFileSets":{"":[],"part_1.tar":["/a",{"x":[]}],"part_2.tar":null},
    "DatabasesByNames":{"db":{"IsSkipped":5,"tables_new":{"t":{"oid":1}}}}}`;
  assert.deepEqual(await filesOf(text), {
    files: [
      { name: '/a', incremented: true, skipped: false, modified: '2026-01-01T00:00:00Z' },
      { name: '/b', incremented: false, skipped: true, modified: undefined },
      { name: '/c', incremented: false, skipped: false, modified: undefined },
    ],
    tars: ['', 'part_1.tar', 'part_2.tar'],
  });
  for (const empty of ['{}', '{"Files":null,"TarFileSets":null}', '{"Files":{}}']) {
    assert.deepEqual(await filesOf(empty), { files: [], tars: [] });
  }
});

test('files metadata of the wrong types is refused, naming document and place', async () => {
  const wrong = {
    '[]': /under test is not a JSON object/,
    null: /under test is not a JSON object/,
    '{"Files":5}': /under test, files is not/,
    '{"Files":{"/a":null}}': /under test, files, \/a is not/,
    '{"Files":{"/a":[]}}': /under test, files, \/a is not/,
    '{"TarFileSets":[]}': /under test, tarfilesets is not/,
    '{"Files":{"/a":{"IsSkipped":1}}}': /of \/a, isskipped is neither/,
    '{"Files":{"/a":{"IsIncremented":{}}}}': /of \/a, isincremented is neither/,
  };
  for (const [text, message] of Object.entries(wrong)) {
    await assert.rejects(filesOf(text), message, text);
  }
});

test('files metadata of no file at all is a document, too', async () => {
  assert.equal(await documentOf([], []), '{"Files":{},"TarFileSets":{}}');
});

async function filesOf(text: string): Promise<{ files: FileEntry[]; tars: string[] }> {
  const files: FileEntry[] = [];
  const tars: string[] = [];
  await parseFilesMetadata(chunked(Buffer.from(text), [7]), {
    what: WHAT,
    onFile: (file) => files.push(file),
    onTar: (tar) => tars.push(tar),
  });
  return { files, tars };
}

/** A document with these files, all of them in the first tar and none in the others. */
async function documentOf(names: readonly string[], tars: readonly string[]): Promise<string> {
  await using spool = openSpool({ directory: tmpdir() });
  const list = fileList(spool);
  const sets = tars.map((tar) => [tar, list.tar()] as const);
  for (const name of names) {
    await list.add({ name, modified: toInstant(1_700_000_000_000_000_000n) });
    await sets[0]?.[1].add(name);
  }
  assert.equal(list.count(), names.length);
  const bytes = await collect(list.document(sets), { maxBytes: 100_000, what: WHAT });
  return bytes.toString('utf8');
}

test('a side record comes back as it was written', () => {
  const content = (bytes: number) => ({ bytes, sha256: 'ab'.repeat(32) });
  const text = formatSideRecord(
    {
      tool: 'tsbk 1',
      run: 'r',
      codec: 'lz4',
      cipher: 'none',
      keyId: undefined,
      segmentBytes: 16_777_216,
      timeline: 1,
      walFirst: 'A',
      walLast: 'B',
      delta: { parent: 'base_A', source: 'server' },
    },
    'basebackups_005/n/',
    [
      {
        key: 'basebackups_005/n/tar_partitions/part_001.tar.lz4',
        plain: content(10),
        stored: content(5),
      },
    ],
  );
  const read = parseSideRecord(parseJson(text, { what: WHAT }), WHAT);
  assert.equal(read.segmentBytes, 16_777_216);
  assert.deepEqual(read.delta, { parent: 'base_A', source: 'server' });
  const object = read.objects.get('tar_partitions/part_001.tar.lz4');
  assert.deepEqual(object, { plain: content(10), stored: content(5) });
});
