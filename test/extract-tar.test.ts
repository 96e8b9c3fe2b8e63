/** One tar of a backup, unpacked as a lane does it: by itself, with plain data in and out. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { crc32c, crc32cHex } from '@tsbk/core/format/crc32c';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import { NameIndexBuilder, type NameIndex } from '@tsbk/core/kernel/name-index';
import type { ExtractBatch, ExtractTask, WantedMembers } from '@tsbk/core/ports/extract';
import { extractTar } from '@tsbk/core/restore/extract-tar';
import { TURN } from '@tsbk/core/repository/chain/roll';
import {
  fakeRepository,
  fakeTar,
  sha256,
  type FakeMember,
  type FakeRepository,
} from './support/fake-repository.ts';

let scratch: string;
let root: string;
let repository: FakeRepository;
let batches: ExtractBatch[];

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'tsbk-extract-'));
  root = join(scratch, 'data');
  mkdirSync(root);
  repository = fakeRepository(join(scratch, 'repository'));
  batches = [];
});

afterEach(() => rmSync(scratch, { recursive: true }));

const KEY = 'part_001.tar';

/** Of these names, in a full backup. */
function wantedOf(names: NameIndex, turns: readonly number[]): WantedMembers {
  const begun = {
    slots: new Uint32Array(names.count),
    limits: new Float64Array(0),
    starts: new Float64Array(0),
    placed: new Uint8Array(0),
  };
  return { names, turns: Uint8Array.from(turns), isNewest: true, begun };
}

function taskOf(members: readonly FakeMember[], more: Partial<ExtractTask> = {}): ExtractTask {
  repository.put(KEY, fakeTar(members));
  return {
    tar: { key: KEY, extension: '', record: undefined },
    place: { root, tablespaces: new Map(), fsync: true },
    wanted: undefined,
    checksum: 'CRC32C',
    ...more,
  };
}

/** Everything goes through a structured clone, as between threads. */
async function extract(task: ExtractTask, signal = new AbortController().signal) {
  const onBatch = (batch: ExtractBatch): void => void batches.push(structuredClone(batch));
  const opened = await repository.open();
  return structuredClone(await extractTar(opened, structuredClone(task), { signal, onBatch }));
}

const kinds = (): string[] =>
  batches.flatMap(({ members }) => members.map(({ kind, path }) => `${kind} ${path}`));

describe('a tar that is unpacked', () => {
  it('tells what became of each member, and of directories and links at the end', async () => {
    const receipt = await extract(
      taskOf([
        { name: '/', mode: 0o750 },
        { name: '/base/1/', mode: 0o700 },
        { name: '/base/1/5', content: 'five' },
        { name: '/base/1/5', content: 'again' },
        { name: '/conf.d/link', linkTo: '../PG_VERSION' },
        { name: '/postmaster.pid', content: '1\n' },
        { name: Buffer.from('/h\xe9', 'latin1'), content: 'latin' },
        { name: '/global/pg_control', content: 'control', mode: 0o640 },
      ]),
    );
    assert.deepEqual(kinds(), [
      'directory ',
      'directory base/1',
      'placed base/1/5',
      'taken base/1/5',
      'link conf.d/link',
      'left-out postmaster.pid',
      'placed h\xe9',
      'held global/pg_control',
    ]);
    assert.deepEqual(receipt, {
      directories: [
        ['base', undefined],
        ['base/1', 0o700],
      ],
      links: [['conf.d/link', '../PG_VERSION']],
      rootMode: 0o750,
    });
    assert.deepEqual(readdirSync(root).toSorted(), ['base', 'h\ufffd']);
    const [batch] = batches;
    const [placed, raw, held] = [2, 6, 7].map((index) => batch?.members[index]);
    const checksum = crc32cHex(crc32c(Buffer.from('five')));
    const name = '/base/1/5';
    const found = { bytes: 4, checksum, sparedBytes: 0 };
    assert.deepEqual(placed, { kind: 'placed', name, path: 'base/1/5', ...found });
    assert.equal(raw?.name, undefined);
    assert.ok(held?.kind === 'held' && Buffer.from(held.content).toString() === 'control');
    assert.equal(held.mode, 0o640);
  });

  it('sums its files by what the task says', async () => {
    const sums = { NONE: '', SHA256: sha256(Buffer.from('x')) } as const;
    for (const [checksum, expected] of Object.entries(sums)) {
      batches = [];
      const task = taskOf([{ name: `/${checksum}`, content: 'x' }]);
      await extract({ ...task, checksum: checksum as keyof typeof sums });
      const member = batches[0]?.members[0];
      assert.ok(member?.kind === 'placed');
      assert.equal(member.checksum, expected);
    }
  });

  it('places only what is wanted, and the labels', async () => {
    const members = ['/a', '/b', 'backup_label'].map((name) => ({ name, content: name }));
    const names = new NameIndexBuilder();
    names.add('b');
    await extract(taskOf(members, { wanted: wantedOf(names.index(), [TURN.whole]) }));
    assert.deepEqual(kinds(), ['placed b', 'held backup_label']);
    assert.deepEqual(readdirSync(root), ['b']);
  });

  it('tells of a few hundred members and some MiB at a time', async () => {
    const many = Array.from({ length: 1200 }, (_, index) => ({ name: `/${index}`, content: 'x' }));
    const large = { name: '/large', content: Buffer.alloc(20 * 1024 * 1024, 'abc') };
    await extract(taskOf([...many, large]));
    assert.ok(batches.every(({ members }) => members.length <= 500));
    assert.ok(batches.every(({ bytes }) => bytes < 10 * 1024 * 1024));
    const bytes = batches.reduce((sum, batch) => sum + batch.bytes, 0);
    assert.deepEqual([kinds().length, bytes], [1201, 1200 + large.content.length]);
    const written = createHash('md5')
      .update(readFileSync(join(root, 'large')))
      .digest('hex');
    assert.equal(written, createHash('md5').update(large.content).digest('hex'));
  });

  it('stops at what its listener throws', async () => {
    const members = Array.from({ length: 600 }, (_, index) => ({ name: `/${index}` }));
    const task = taskOf(members);
    const opened = await repository.open();
    const { signal } = new AbortController();
    const onBatch = (): never => {
      throw new Error('no more');
    };
    await assert.rejects(extractTar(opened, task, { signal, onBatch }), /no more/);
    assert.equal(existsSync(join(root, '550')), false);
  });

  it('fails at its end if it is not what was stored, and hears an abort', async () => {
    const content = fakeTar([{ name: '/a' }]);
    const good = { bytes: content.length, sha256: sha256(content) };
    const bad = { ...good, sha256: sha256(Buffer.from('other')) };
    const tar = { key: KEY, extension: '' };
    for (const record of [
      { plain: bad, stored: good },
      { plain: good, stored: bad },
    ]) {
      const task = taskOf([{ name: '/a' }], { tar: { ...tar, record } });
      await assert.rejects(extract(task), (error) => isTsbkError(error, 'object-corrupt'));
      rmSync(join(root, 'a'));
    }
    const reason = new Error('enough');
    await assert.rejects(extract(taskOf([{ name: '/a' }]), AbortSignal.abort(reason)), reason);
  });
});
