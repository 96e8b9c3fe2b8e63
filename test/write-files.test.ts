/** What a lane makes of files that change, vanish and are damaged while it reads them. */
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { writeFiles } from '@tsbk/core/backup/write-files';
import {
  dataDirectory,
  type DataDirectory,
  type DataFile,
} from '@tsbk/core/cluster/data-directory';
import { codecByName } from '@tsbk/core/codec/codecs';
import { crc32c } from '@tsbk/core/format/crc32c';
import { PAGE_BYTES, Pages } from '@tsbk/core/format/page';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import { toInstant } from '@tsbk/core/kernel/instant';
import { toLsn } from '@tsbk/core/kernel/lsn';
import type { TreePath } from '@tsbk/core/kernel/tree-path';
import type { FilesBatch, ReadMember } from '@tsbk/core/ports/files';
import { readTar, type TarEntry } from './support/read-tar.ts';
import { tempDirectory } from './support/temp-directory.ts';
import { openDirectory } from './support/walg-cases.ts';

const FACTS = { mode: 0o600, modified: toInstant(1_700_000_000_123_456_789n), uid: 1, gid: 1 };
const path = (text: string): TreePath => Buffer.from(text).toString('latin1') as TreePath;

/** A file that has `now` when it is read, whatever it had when it was opened. */
function fileOf(bytes: number, now: (read: number) => Uint8Array): DataFile {
  let reads = 0;
  return {
    facts: FACTS,
    bytes,
    read: (target, position) => {
      reads += 1;
      const there = now(reads).subarray(position, position + target.length);
      target.set(there);
      return there.length;
    },
    modifiedNow: () => FACTS.modified,
    [Symbol.dispose]: () => undefined,
  };
}

function directoryOf(files: Readonly<Record<string, DataFile | undefined>>): DataDirectory {
  return { open: (name) => files[name], directory: () => FACTS };
}

interface Written {
  readonly entries: readonly TarEntry[];
  readonly members: readonly ReadMember[];
  readonly batches: readonly FilesBatch[];
}

async function write(
  files: readonly string[],
  options: {
    readonly directory?: DataDirectory;
    readonly root?: string;
    readonly directories?: readonly string[];
    readonly verifyBefore?: bigint;
  },
): Promise<Written> {
  await using temp = await tempDirectory();
  const repository = { ...(await openDirectory(temp.path)), writeCodec: codecByName('none') };
  const batches: FilesBatch[] = [];
  const { directory, root = '/nowhere', directories = [], verifyBefore } = options;
  const receipt = await writeFiles(
    repository,
    {
      key: 'part.tar',
      root,
      directories: directories.map(path),
      files: files.map(path),
      verifyBefore: verifyBefore === undefined ? undefined : toLsn(verifyBefore),
      delta: undefined,
    },
    {
      signal: new AbortController().signal,
      onBatch: (batch) => void batches.push(batch),
      ...(directory === undefined ? {} : { directory }),
    },
  );
  return {
    entries: readTar(join(temp.path, receipt.key)),
    members: batches.flatMap(({ members }) => members),
    batches,
  };
}

/** Pages as a server leaves them, changed last at `lsn`. */
function pagesOf(count: number, { lsn, firstBlock = 0 }: { lsn: number; firstBlock?: number }) {
  const bytes = Buffer.alloc(count * PAGE_BYTES, 'what a page may hold');
  const pages = new Pages(bytes);
  for (let block = 0; block < count; block += 1) {
    const at = block * PAGE_BYTES;
    bytes.writeUInt32LE(0, at);
    bytes.writeUInt32LE(lsn, at + 4);
    bytes.writeUInt16LE(pages.computed(at, firstBlock + block), at + 8);
  }
  return bytes;
}

describe('writeFiles', () => {
  test('writes directories, files and their facts', async () => {
    await using temp = await tempDirectory();
    mkdirSync(join(temp.path, 'größe'));
    mkdirSync(join(temp.path, 'elsewhere'));
    symlinkSync('elsewhere', join(temp.path, 'pg_wal'));
    const content = Buffer.alloc(700_001, 'abc');
    writeFileSync(join(temp.path, 'größe/a'), content);
    writeFileSync(join(temp.path, 'empty'), '');
    const { entries, members, batches } = await write(['größe/a', 'empty'], {
      root: temp.path,
      directories: ['', 'größe', 'pg_wal', 'no more'],
    });
    const shown = entries.map(({ name, type, content: { length } }) => `${type} ${name} ${length}`);
    assert.deepEqual(shown, [
      '5 / 0',
      '5 /größe 0',
      '5 /pg_wal 0',
      '0 /größe/a 700001',
      '0 /empty 0',
    ]);
    assert.deepEqual(entries[3]?.content, content);
    assert.deepEqual(
      members.map((member) => [member.kind, member.path, member.bytes, member.crc]),
      [
        ['directory', '', 0, 0],
        ['directory', path('größe'), 0, 0],
        ['directory', 'pg_wal', 0, 0],
        ['file', path('größe/a'), 700_001, crc32c(content)],
        ['file', 'empty', 0, 0],
      ],
    );
    assert.equal(
      batches.reduce((sum, { bytes }) => sum + bytes, 0),
      700_001,
    );
  });

  test('leaves out what is gone or became a link, and names what cannot be read', async () => {
    await using temp = await tempDirectory();
    symlinkSync('/etc/hostname', join(temp.path, 'link'));
    writeFileSync(join(temp.path, 'file'), 'x');
    mkdirSync(join(temp.path, 'directory'));
    const { entries } = await write(['gone', 'file/below', 'link', 'directory', 'file'], {
      root: temp.path,
    });
    assert.deepEqual(
      entries.map(({ name }) => name),
      ['/file'],
    );
    const directory: DataDirectory = {
      ...dataDirectory(temp.path),
      open: () => dataDirectory('/proc/self').open(path('mem')),
    };
    const failing: DataDirectory = {
      ...directory,
      open: (name) => {
        const file = directory.open(name);
        return file === undefined ? undefined : { ...file, bytes: 10 };
      },
    };
    await assert.rejects(
      () => write(['file'], { directory: failing }),
      (error) => isTsbkError(error, 'file-unreadable'),
    );
  });

  test('cuts a file that grew and fills one that shrank with zeros', async () => {
    const content = Buffer.alloc(600_000, 'abcdefg');
    const { entries, members } = await write(['grew', 'shrank', 'emptied'], {
      directory: directoryOf({
        grew: fileOf(300_000, () => content),
        shrank: fileOf(600_000, () => content.subarray(0, 300_000)),
        emptied: fileOf(10, () => Buffer.alloc(0)),
      }),
    });
    const filled = Buffer.concat([content.subarray(0, 300_000), Buffer.alloc(300_000)]);
    assert.deepEqual(
      entries.map((entry) => entry.content),
      [content.subarray(0, 300_000), filled, Buffer.alloc(10)],
    );
    assert.deepEqual(
      members.map(({ crc }) => crc),
      entries.map((entry) => crc32c(entry.content)),
    );
  });

  test('finds each wrong page of a relation, in every segment and fork', async () => {
    const names = ['base/5/1259', 'base/5/1259_vm.2', 'global/1262', 'pg_tblspc/9/PG_17_1/5/7_fsm'];
    for (const name of names) {
      const firstBlock = name.endsWith('.2') ? 2 * 131_072 : 0;
      const bytes = pagesOf(70, { lsn: 100, firstBlock });
      for (const block of [3, 33, 69]) bytes.write('?', block * PAGE_BYTES + 5000);
      const { batches } = await write([name], {
        directory: directoryOf({ [name]: fileOf(bytes.length, () => bytes) }),
        verifyBefore: 1000n,
      });
      const damaged = batches.flatMap((batch) => batch.damaged);
      assert.deepEqual(damaged, [{ path: name, blocks: [3, 33, 69], count: 3 }]);
    }
  });

  test('does not judge pages that are new, changed since, or of no relation', async () => {
    const changed = pagesOf(3, { lsn: 1000 }).fill(1, 5000, 5100);
    const unused = Buffer.alloc(3 * PAGE_BYTES);
    const foreign = pagesOf(3, { lsn: 100 }).fill(1, 5000, 5100);
    const files = {
      'base/5/1': fileOf(changed.length, () => changed),
      'base/5/2': fileOf(unused.length, () => unused),
      'base/5/pg_filenode.map': fileOf(foreign.length, () => foreign),
      'pg_xact/0000': fileOf(foreign.length, () => foreign),
      'base/5/t3_4': fileOf(foreign.length, () => foreign),
    };
    const { batches } = await write(Object.keys(files), {
      directory: directoryOf(files),
      verifyBefore: 1000n,
    });
    assert.deepEqual(
      batches.flatMap((batch) => batch.damaged),
      [],
    );
  });

  test('reads a wrong page once more, and keeps what it is by then', async () => {
    const right = pagesOf(2, { lsn: 100 });
    const torn = Buffer.from(right).fill(7, PAGE_BYTES + 4096);
    const { batches, entries, members } = await write(['base/5/1'], {
      directory: directoryOf({
        'base/5/1': fileOf(right.length, (read) => (read === 1 ? torn : right)),
      }),
      verifyBefore: 1000n,
    });
    assert.deepEqual(
      batches.flatMap((batch) => batch.damaged),
      [],
    );
    assert.deepEqual(entries[0]?.content, right);
    assert.equal(members[0]?.crc, crc32c(right));
  });

  test('ends with the reason of its signal and leaves no object', async () => {
    await using temp = await tempDirectory();
    const stop = new AbortController();
    const repository = { ...(await openDirectory(temp.path)), writeCodec: codecByName('none') };
    const reason = new Error('enough');
    const endless = fileOf(1e12, () => {
      stop.abort(reason);
      return Buffer.alloc(0);
    });
    const task = { key: 'part.tar', root: '/', directories: [], files: [path('a')] };
    await assert.rejects(
      () =>
        writeFiles(
          repository,
          { ...task, verifyBefore: undefined, delta: undefined },
          {
            signal: stop.signal,
            onBatch: () => undefined,
            directory: directoryOf({ a: endless }),
          },
        ),
      reason,
    );
    assert.equal(
      await repository.store.stat('part.tar', { signal: AbortSignal.timeout(5000) }),
      undefined,
    );
  });
});
