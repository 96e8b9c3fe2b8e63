import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import { parseServiceFile } from './service-file.ts';

const FILE = `# comment
[other]
host=wrong
[prod]
host=db1,db2
port = 5433
dbname=app
password=p=q
host=late

[prod]
user=second
`;

describe('parseServiceFile', () => {
  it('reads the first section of the name, and in it the first value of a parameter', () => {
    assert.deepEqual(parse(FILE, 'prod'), {
      host: 'db1,db2',
      port: '5433',
      dbname: 'app',
      password: 'p=q',
    });
  });

  it('knows an empty section from a missing one', () => {
    assert.deepEqual(parse('[a]\n[b]\nx=1', 'a'), {});
    assert.equal(parse(FILE, 'absent'), undefined);
  });

  it('refuses a line without an equals sign, naming where it is', () => {
    assert.throws(
      () => parse('[prod]\r\n\r\nnonsense\r\n', 'prod'),
      (error) => isTsbkError(error, 'usage') && error.message.includes('f.conf:3'),
    );
  });

  it('refuses look-ups by LDAP instead of passing them over', () => {
    assert.throws(
      () => parse('[prod]\nldap://host/x?y', 'prod'),
      (error) => isTsbkError(error, 'usage'),
    );
  });
});

function parse(text: string, service: string) {
  return parseServiceFile(text, { service, path: 'f.conf' });
}
