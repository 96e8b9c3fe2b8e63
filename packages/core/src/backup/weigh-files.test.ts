import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Listed } from '../cluster/list-data-directory.ts';
import { incrementBytes } from '../format/increment/walg-increment.ts';
import { PAGE_BYTES } from '../format/page.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import type { ChangedBlocks } from '../ports/changed-blocks.ts';
import { weighFiles } from './weigh-files.ts';

const path = (text: string): TreePath => text as TreePath;

test('a file weighs what will be read of it', async () => {
  const changes = new Map<string, ChangedBlocks>([
    ['base/5/1', { blocks: Uint32Array.from([1, 7]), from: Infinity }],
    ['base/5/2', { blocks: new Uint32Array(0), from: 90 }],
    ['base/5/3', { blocks: new Uint32Array(0), from: 0 }],
  ]);
  const nothing = { blocks: new Uint32Array(0), from: Infinity };
  const bytes = 100 * PAGE_BYTES;
  const names = ['1', '2', '3', '4', 'new', '1_fsm'].map((name) => path(`base/5/${name}`));
  const directory: Listed = { kind: 'directory', path: path('base') };
  async function* listing(): AsyncGenerator<Listed> {
    yield directory;
    for (const name of names) yield { kind: 'file', path: name, bytes };
  }
  const weighed: Listed[] = [];
  const options = {
    known: {
      of: (name: TreePath) =>
        name.endsWith('new') ? undefined : { modified: undefined, sum: undefined },
    },
    changes: { of: (name: TreePath) => changes.get(name) ?? nothing },
  };
  for await (const listed of weighFiles(listing(), options)) weighed.push(listed);
  assert.deepEqual(weighed.shift(), directory);
  assert.deepEqual(
    weighed.map((listed) => (listed.kind === 'file' ? listed.bytes : undefined)),
    [incrementBytes(2), incrementBytes(10), bytes, incrementBytes(0), bytes, bytes],
  );
});
