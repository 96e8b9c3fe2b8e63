import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseDatabaseNames, type NamedRelation } from '../../repository/database-names.ts';
import { chunked } from '../../stream/chunked.ts';
import { isWanted, type Selection } from '../../repository/chain/selection.ts';
import { matches, parseWantedNames } from './wanted-names.ts';

describe('parseWantedNames', () => {
  test('reads each form that WAL-G takes', () => {
    const forms = 'a,b/t,c/s.t,d/s/t.u,"e e"/t,f"," f';
    assert.deepEqual(parseWantedNames(forms), [
      { text: 'a', database: 'a', relation: undefined },
      { text: 'b/t', database: 'b', relation: 'public.t' },
      { text: 'c/s.t', database: 'c', relation: 's.t' },
      { text: 'd/s/t.u', database: 'd', relation: 's.t.u' },
      { text: 'e e/t', database: 'e e', relation: 'public.t' },
      { text: 'f, f', database: 'f, f', relation: undefined },
    ]);
  });

  test('refuses what names nothing', () => {
    for (const text of ['', ',', '/t', 'a/', 'a/b/c/d', 'a//t', 'a/b.c.d']) {
      assert.throws(() => parseWantedNames(text), /--restore-only/, text);
    }
  });
});

test('matches takes a star for anything and everything else as it is', () => {
  assert.ok(matches('a*c', 'abbc'));
  assert.ok(matches('*', ''));
  assert.ok(!matches('a.c', 'abc'));
  assert.ok(!matches('a*', 'ba'));
  assert.ok(!matches('a(*', 'a'));
});

test('isWanted keeps what is no file of a relation, what every database begins with, and what was chosen', () => {
  const some = { name: 'some', whole: false, asked: true, filenodes: new Set([20_001]) };
  const whole = { name: 'whole', whole: true, asked: true, filenodes: new Set<number>() };
  const selection: Selection = {
    databases: new Map([
      [17_000, some],
      [18_000, whole],
    ]),
  };
  const kept = [
    '/',
    '/PG_VERSION',
    '/base/17000',
    '/base/17000/PG_VERSION',
    '/base/17000/pg_filenode.map',
    '/base/17000/1259',
    'base/17000/20001',
    '/base/17000/20001_fsm',
    '/base/17000/20001.1',
    '/base/17000/20001_vm.1',
    '/base/18000/20002',
    '/base/5/20002',
    '/base/19000/2600',
    '/global/20002',
    '/pg_tblspc/16500/PG_17_202406281/17000/20001',
    '/pg_tblspc/16500/PG_17_202406281/19000',
    '/pg_wal/17000/20002',
  ];
  const left = [
    '/base/17000/20002',
    'base/17000/20002_init',
    '/base/17000/20002.12',
    '/base/17000/20002_vm.1',
    '/base/19000/20001',
    '/pg_tblspc/16500/PG_17_202406281/17000/20002',
    'pg_tblspc/16500/PG_17_202406281/19000/20001',
  ];
  for (const name of kept) assert.ok(isWanted(selection, name), name);
  for (const name of left) assert.ok(!isWanted(selection, name), name);
});

test('parseDatabaseNames reads what WAL-G wrote, before 3.0.4 and since, and passes over the rest', async () => {
  const text = `{"Files":{"/a":{"oid":1,"relfilenode":2}},"databasesbynames":{
    "new":{"oid":20,"tables_new":{
      "s.t":{"relfilenode":31,"subtables":{"s.p":{"oid":40,"relfilenode":41}},"oid":30},
      "s.none":{"oid":1},"s.text":{"relfilenode":"2"}}},
    "old":{"oid":21,"tables":{"s.t":50}},
    "empty":{"oid":22}, "without":{"tables_new":{}}, "wrong":[{"oid":5}]}}`;
  const relations: (readonly [string, NamedRelation])[] = [];
  const databases: (readonly [string, number])[] = [];
  await parseDatabaseNames(chunked(Buffer.from(text), [5]), {
    what: 'the record',
    onRelation: (database, relation) => relations.push([database, relation]),
    onDatabase: (name, oid) => databases.push([name, oid]),
  });
  assert.deepEqual(relations, [
    ['new', { name: 's.p', oid: 40, filenode: 41, owner: 's.t' }],
    ['new', { name: 's.t', oid: 30, filenode: 31, owner: undefined }],
    ['old', { name: 's.t', oid: undefined, filenode: 50, owner: undefined }],
  ]);
  assert.deepEqual(databases, [
    ['new', 20],
    ['old', 21],
    ['empty', 22],
  ]);
});
