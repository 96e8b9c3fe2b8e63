import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { choosePreload } from './choose-preload.ts';
import { preloadLibraries } from './server-files.ts';
import { namesToRestore, parseWantedObjects } from './wanted-objects.ts';

const NONE = { databases: [], schemas: [], tables: [] };
const { signal } = new AbortController();

describe('parseWantedObjects', () => {
  test('reads names by database, with dots and quotes in double quotes', () => {
    const wanted = parseWantedObjects({
      databases: ['a.b'],
      schemas: ['shop.sales'],
      tables: ['crm."S c"."t""x.y"', 'crm.public.Orders'],
    });
    assert.deepEqual(wanted, [
      { database: 'a.b', whole: true, schemas: [], tables: [] },
      { database: 'shop', whole: false, schemas: ['sales'], tables: [] },
      {
        database: 'crm',
        whole: false,
        schemas: [],
        tables: [
          { schema: 'S c', table: 't"x.y' },
          { schema: 'public', table: 'Orders' },
        ],
      },
    ]);
  });

  test('refuses what names nothing, or two things that pg_dump cannot do at once', () => {
    assert.throws(() => parseWantedObjects(NONE), /needs --table/);
    for (const table of ['t', 'a.t', 'a.b.c.d', 'a..t', 'a."b.t', '"a"b.c.d']) {
      assert.throws(
        () => parseWantedObjects({ ...NONE, tables: [table] }),
        /is not database/,
        table,
      );
    }
    const both = { ...NONE, schemas: ['a.s'], tables: ['a.s.t'] };
    assert.throws(() => parseWantedObjects(both), /do not go together/);
  });

  test('gives no names to restore by where one could stand for others', () => {
    const names = (table: string) =>
      namesToRestore(parseWantedObjects({ ...NONE, tables: [table] }));
    assert.equal(names('a.b.c')?.[0]?.relation, 'b.c');
    assert.equal(names('a.b.c*'), undefined);
  });
});

test('a library that the server had loaded and this machine lacks is told, and can be left away', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tsbk-preload-'));
  try {
    assert.deepEqual(await preloadLibraries(directory), []);
    await writeFile(join(directory, 'postgresql.conf'), "shared_preload_libraries = 'one'\n");
    const auto = 'shared_preload_libraries = \'"two", no-such-library\'\n';
    await writeFile(join(directory, 'postgresql.auto.conf'), auto);
    assert.deepEqual(await preloadLibraries(directory), ['two', 'no-such-library']);
    await writeFile(join(directory, 'pg_config'), `#!/bin/sh\necho ${directory}\n`, {
      mode: 0o755,
    });
    await writeFile(join(directory, 'two.so'), '');
    const installation = { directory, version: '17.0' };
    await assert.rejects(choosePreload(directory, installation, { preload: true, signal }), {
      code: 'programs-missing',
      message: /no-such-library/,
    });
    assert.deepEqual(await choosePreload(directory, installation, { preload: false, signal }), []);
  } finally {
    await rm(directory, { recursive: true });
  }
});
