import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { boolean, choice, duration, durationOrNoLimit, integer, size } from './kinds.ts';
import { bucketPrefix, directoryPrefix, endpoint, headers, subPath } from './location-kinds.ts';
import { json } from './json-kind.ts';
import { segmentSize } from './segment-size.ts';
import { zstdLevel } from './compression-kinds.ts';
import type { Kind } from './kinds.ts';
import { SETTING_LIST, SETTINGS } from './table.ts';

function valueOf<T>(kind: Kind<T>, text: string): T | string {
  const parsed = kind.parse(text);
  return parsed.ok ? parsed.value : `must be ${parsed.expected}`;
}

describe('kinds of settings', () => {
  it('a default, formatted and parsed again, is the same value', () => {
    for (const [key, setting] of SETTING_LIST) {
      const value =
        typeof setting.default === 'function'
          ? (setting.default as (machine: { cores: number }) => unknown)({ cores: 3 })
          : setting.default;
      if (value === undefined) continue;
      assert.deepEqual(setting.kind.parse(setting.kind.format(value)), { ok: true, value }, key);
    }
  });

  it('a size, formatted and parsed again, is the same number of bytes', () => {
    const kind = size(1);
    fc.assert(
      fc.property(fc.integer({ min: 1 }), (bytes) => {
        assert.equal(valueOf(kind, kind.format(bytes)), bytes);
      }),
    );
  });

  it('a duration, formatted and parsed again, is the same number of milliseconds', () => {
    const kind = duration(0);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 24 * 86_400_000 }), (milliseconds) => {
        assert.equal(valueOf(kind, kind.format(milliseconds)), milliseconds);
      }),
    );
  });

  it('a duration that timers of Node.js cannot hold is refused', () => {
    assert.match(String(valueOf(duration(0), '25d')), /at most 24d/);
  });

  it('a duration of 0 means the longest one where no limit is allowed', () => {
    assert.equal(valueOf(durationOrNoLimit(1000), '0'), 24 * 86_400_000);
    assert.match(String(valueOf(duration(1000), '0')), /at least 1s/);
  });

  it('a whole number outside its range is refused, and so is anything but digits', () => {
    const kind = integer(1, 10);
    for (const text of ['0', '11', '1.5', '', ' 5', '0x5', '1e1', 'NaN']) {
      assert.match(String(valueOf(kind, text)), /whole number from 1 to 10/, text);
    }
  });

  it('booleans are those of Go, and nothing else', () => {
    for (const text of ['1', 't', 'T', 'TRUE', 'true', 'True']) {
      assert.equal(valueOf(boolean, text), true);
    }
    for (const text of ['0', 'f', 'F', 'FALSE', 'false', 'False']) {
      assert.equal(valueOf(boolean, text), false);
    }
    for (const text of ['yes', 'on', 'tRUE', '']) {
      assert.equal(valueOf(boolean, text), 'must be true or false');
    }
  });

  it('a choice ignores case and knows aliases', () => {
    const kind = choice(['info', 'debug'], { DEVEL: 'debug' });
    assert.equal(valueOf(kind, 'INFO'), 'info');
    assert.equal(valueOf(kind, 'devel'), 'debug');
    assert.equal(valueOf(kind, 'verbose'), 'must be one of info, debug');
  });

  it('JSON keeps its large numbers whole', () => {
    const text = '{"a":7710781881545605755}';
    assert.deepEqual(json.parse(text), { ok: true, value: { a: 7710781881545605755n } });
    assert.equal(json.format({ a: 7710781881545605755n }), text);
    assert.equal(json.parse('{a:1}').ok, false);
  });

  it("zstd levels are numbers or WAL-G's words", () => {
    assert.equal(valueOf(zstdLevel, 'fastest'), 1);
    assert.equal(valueOf(zstdLevel, 'best'), 11);
    assert.equal(valueOf(zstdLevel, '19'), 19);
    for (const text of ['0', '20', 'constructor', '-1']) {
      assert.match(String(valueOf(zstdLevel, text)), /level from 1 to 19/, text);
    }
  });

  it('a segment size without unit is MiB, and only a power of two', () => {
    assert.equal(valueOf(segmentSize, '64'), 64 * 1024 ** 2);
    assert.equal(valueOf(segmentSize, '1GiB'), 1024 ** 3);
    for (const text of ['0', '24', '2048', '512KiB']) {
      assert.match(String(valueOf(segmentSize, text)), /power of two/, text);
    }
  });
});

describe('places', () => {
  it('a directory may be written as a path or as a file: URL', () => {
    for (const text of ['/b', 'file:///b', 'file://localhost/b', 'file:/b']) {
      assert.equal(valueOf(directoryPrefix, text), '/b', text);
    }
  });

  it('a directory that is not absolute is refused', () => {
    for (const text of ['b', './b', 'file://b', 'file://host/b']) {
      assert.match(String(valueOf(directoryPrefix, text)), /absolute path/, text);
    }
  });

  it('a bucket prefix loses its outer slashes, and any scheme will do', () => {
    assert.equal(valueOf(bucketPrefix, 's3://bucket'), 's3://bucket');
    assert.equal(valueOf(bucketPrefix, 's3://bucket/'), 's3://bucket');
    assert.equal(valueOf(bucketPrefix, 'https://my_bucket//a/b//'), 's3://my_bucket/a/b');
  });

  it('a bucket prefix without bucket, or with a password in it, is refused', () => {
    for (const text of ['bucket/x', 's3://', 's3:///x', 's3://key:secret@bucket/x', 's3://b?x=1']) {
      assert.match(String(valueOf(bucketPrefix, text)), /s3:\/\/bucket/, text);
    }
  });

  it('an endpoint without scheme is reached by https', () => {
    assert.equal(valueOf(endpoint, 'minio:9000'), 'https://minio:9000');
    assert.equal(valueOf(endpoint, 'http://minio:9000/'), 'http://minio:9000');
  });

  it('an endpoint with credentials, or of another scheme, is refused', () => {
    for (const text of ['https://u:p@h', 'ftp://h', 'https://', 'http://h?x']) {
      assert.match(String(valueOf(endpoint, text)), /host or URL/, text);
    }
  });

  it('a folder below the prefix cannot lead out of it', () => {
    assert.equal(valueOf(subPath, '/team/main/'), 'team/main');
    for (const text of ['..', 'a/../../b', 'a//b', '.', '/']) {
      assert.match(String(valueOf(subPath, text)), /without \.\. in it/, text);
    }
  });

  it('headers are read as JSON, as YAML map and as YAML list', () => {
    const expected = { 'X-Team': 'dba', 'X-No': '32' };
    for (const text of [
      '{"X-Team":"dba","X-No":32}',
      'X-Team: dba\nX-No: "32"',
      '- X-Team: "dba"\n- X-No: 32',
    ]) {
      assert.deepEqual(valueOf(headers, text), expected, text);
    }
  });

  it('a header that would begin another one is refused', () => {
    for (const text of ['{"X":"a\\r\\nY: b"}', '{"X Y":"a"}', 'nonsense', '{']) {
      assert.equal(headers.parse(text).ok, false, text);
    }
  });
});

describe('the settings table', () => {
  it('has a first name of its own for every setting, and no name twice', () => {
    const names = SETTING_LIST.flatMap(([, setting]) => setting.env);
    assert.equal(new Set(names).size, names.length);
    for (const [key, setting] of SETTING_LIST) {
      assert.match(setting.env[0], /^TSBK_[A-Z0-9_]+$/, key);
      assert.ok(setting.commands.length > 0, key);
      assert.match(setting.doc, /^[A-Z].*\.$/, key);
    }
    assert.ok(SETTING_LIST.length > 40);
  });

  it('never shows the default of a secret, because there is none', () => {
    const secrets = SETTING_LIST.filter(([, setting]) => setting.secret);
    assert.ok(secrets.length >= 5);
    for (const [key, setting] of secrets) assert.equal(setting.default, undefined, key);
    assert.ok(SETTINGS.libsodiumKey.secret);
  });
});
