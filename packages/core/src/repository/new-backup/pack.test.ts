import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import fc from 'fast-check';
import { readTar } from '../../format/tar/read.ts';
import { toInstant } from '../../kernel/instant.ts';
import type { SourceMember } from '../../ports/backup-source.ts';
import type { LaneWriter } from '../../ports/lanes.ts';
import { collect } from '../../stream/collect.ts';
import { sourceOf } from '../../stream/source.ts';
import { openSpool } from '../../stream/spool.ts';
import { fileList, type TarNames } from '../file-list.ts';
import type { PartsOptions } from './open-parts.ts';
import { packer } from './pack.ts';

const open = new AbortController().signal;
const list = fileList(openSpool({ directory: tmpdir() }));

/** Lanes that keep what they are given. */
function keepingLanes(
  width: number,
): PartsOptions['lanes'] & { readonly tars: Map<string, Buffer> } {
  const tars = new Map<string, Buffer>();
  return {
    tars,
    width,
    open: (key) => {
      const chunks: Uint8Array[] = [];
      return {
        waiting: () => 0,
        write: (chunk) => {
          chunks.push(Uint8Array.from(chunk));
          return Promise.resolve();
        },
        end: () => {
          const bytes = Buffer.concat(chunks);
          tars.set(key, bytes);
          const content = { bytes: bytes.length, sha256: '' };
          return Promise.resolve({ key: `${key}.none`, plain: content, stored: content });
        },
        fail: () => Promise.resolve(),
      };
    },
  };
}

function file(path: string, bytes: number): SourceMember {
  const modified = toInstant(1_700_000_000_000_000_000n);
  return { kind: 'file', path, bytes, mode: 0o600, modified, uid: 1, gid: 1 };
}

async function namesIn(names: TarNames): Promise<string[]> {
  const text = await collect(names.read(), { maxBytes: 1 << 20, what: 'names' });
  return JSON.parse(`[${text.toString('utf8')}]`) as string[];
}

async function membersOf(tar: Buffer): Promise<{ name: string; content: Buffer }[]> {
  const members: { name: string; content: Buffer }[] = [];
  for await (const { header, body } of readTar(sourceOf(tar), { endBlocks: 'required' })) {
    const content = await collect(body, { maxBytes: 1 << 30, what: header.name });
    members.push({ name: header.name, content });
  }
  return members;
}

test('a packer puts every member whole into exactly one part, whatever width and sizes', async () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 5000 }), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(sizes, fc.integer({ min: 1, max: 4 }), async (bytes, width) => {
      const lanes = keepingLanes(width);
      const pack = packer({
        backup: 'base_X',
        lanes,
        list,
        partBytesMax: 6000,
        signal: open,
      });
      for (const [index, size] of bytes.entries()) {
        await pack.add(file(`f${index}`, size), sourceOf(Buffer.alloc(size, index)));
      }
      const parts = await pack.finish();
      const found: string[] = [];
      for (const part of parts) {
        const { receipt } = part;
        const names = await namesIn(part.names);
        assert.ok(names.length > 0);
        const members = await membersOf(
          lanes.tars.get(receipt.key.replace('.none', '')) ?? Buffer.alloc(0),
        );
        assert.deepEqual(
          members.map(({ name }) => name),
          names,
        );
        const payload = members.reduce((sum, { content }) => sum + content.length, 0);
        assert.ok(payload <= 6000 || members.length === 1);
        for (const { name, content } of members) {
          const index = Number(name.slice(2));
          assert.deepEqual(content, Buffer.alloc(bytes[index] ?? -1, index));
        }
        found.push(...names);
      }
      assert.deepEqual(found.sort(), bytes.map((_, index) => `/f${index}`).sort());
    }),
    { numRuns: 60 },
  );
});

test('a packer fills the small lane with what fits, and opens no other before', async () => {
  const lanes = keepingLanes(2);
  const small = { bytesMax: 1000, open: keepingLanes(1).open };
  const opened: string[] = [];
  const noted = (where: string, open: typeof lanes.open): typeof lanes.open => {
    return (key, options) => {
      opened.push(`${where} ${key.slice(-12)}`);
      return open(key, options);
    };
  };
  const pack = packer({
    backup: 'base_X',
    lanes: {
      width: 2,
      open: noted('lane', lanes.open),
      small: { ...small, open: noted('small', small.open) },
    },
    list,
    partBytesMax: 5000,
    signal: open,
  });
  const add = (name: string, bytes: number): Promise<void> =>
    pack.add(file(name, bytes), sourceOf(Buffer.alloc(bytes)));
  await add('a', 400);
  await add('b', 600);
  assert.deepEqual(opened, ['small part_001.tar']);
  await add('large', 1);
  await add('empty', 0);
  const parts = await pack.finish();
  assert.deepEqual(opened, ['small part_001.tar', 'lane part_002.tar']);
  const names = await Promise.all(parts.map((part) => namesIn(part.names)));
  assert.deepEqual(names, [['/a', '/b', '/empty'], ['/large']]);
});

/** A writer whose every call is noted and does what it is told. */
function notingWriter(calls: string[], write: () => Promise<void>): LaneWriter {
  return {
    waiting: () => 0,
    write,
    end: () => {
      calls.push('end');
      return new Promise(() => {});
    },
    fail: (error) => {
      calls.push(`fail: ${String(error)}`);
      return Promise.resolve();
    },
  };
}

test('a packer whose lane fails throws the lane’s reason and gives up the others', async () => {
  const calls: string[] = [];
  const lanes: PartsOptions['lanes'] = {
    width: 2,
    open: (key) =>
      notingWriter(calls, () =>
        key.includes('001') ? Promise.reject(new Error('store is full')) : Promise.resolve(),
      ),
  };
  const pack = packer({ backup: 'b', lanes, list, partBytesMax: 100, signal: open });
  const work = async (): Promise<void> => {
    for (let i = 0; i < 50; i += 1) await pack.add(file(`f${i}`, 50), sourceOf(Buffer.alloc(50)));
    await pack.finish();
  };
  await assert.rejects(work(), /store is full/);
  await pack.fail(new Error('giving up'));
  assert.ok(calls.length > 0);
  assert.ok(calls.every((call) => call === 'fail: Error: giving up'));
});

test('a packer that is given up ends no part as if it were whole', async () => {
  const calls: string[] = [];
  const lanes: PartsOptions['lanes'] = {
    width: 1,
    open: () => notingWriter(calls, () => Promise.resolve()),
  };
  const pack = packer({ backup: 'b', lanes, list, partBytesMax: 100, signal: open });
  await pack.add(file('a', 3), sourceOf(Buffer.alloc(3)));
  await pack.fail(new Error('the server went away'));
  assert.deepEqual(calls, ['fail: Error: the server went away']);
});
