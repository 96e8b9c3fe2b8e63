import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSettings } from '../settings/load.ts';
import { restoreCommandText } from './restore-command-text.ts';

const machine = { cores: 2 };

test('restoreCommandText repeats what options and environment said, quoted for shell and server', () => {
  const env = { WALG_FILE_PREFIX: "/mnt/it's 100% safe", WALG_COMPRESSION_METHOD: 'zstd' };
  const settings = loadSettings({ env, flags: {}, machine });
  const { text, secrets } = restoreCommandText('/opt/x y/tsbk', settings);
  assert.equal(
    text,
    String.raw`'/opt/x y/tsbk' archive-get '--file-prefix=/mnt/it'\''s 100%% safe' "%f" "%p"`,
  );
  assert.deepEqual(secrets, []);
});

test('restoreCommandText names secrets and never writes them', () => {
  const env = {
    WALG_S3_PREFIX: 's3://bucket/main',
    AWS_ENDPOINT: 'https://s3.example.org',
    AWS_ACCESS_KEY_ID: 'canary-id',
    AWS_SECRET_ACCESS_KEY: 'canary-secret',
    WALG_LIBSODIUM_KEY: 'canary-key-of-more-than-25-bytes',
  };
  const settings = loadSettings({ env, flags: { 's3-region': 'here' }, machine });
  const { text, secrets } = restoreCommandText('/bin/tsbk', settings);
  assert.match(text, /--s3-prefix=s3:\/\/bucket\/main/);
  assert.match(text, /--s3-region=here/);
  assert.doesNotMatch(text, /canary/);
  assert.deepEqual([...secrets].sort(), [
    'TSBK_LIBSODIUM_KEY',
    'TSBK_S3_ACCESS_KEY_ID',
    'TSBK_S3_SECRET_ACCESS_KEY',
  ]);
});

test('restoreCommandText names a settings file rather than copying it', () => {
  const file = {
    path: '/etc/tsbk.json',
    values: { WALG_FILE_PREFIX: '/var/backups' },
    readableByOthers: false,
  };
  const settings = loadSettings({ env: {}, flags: {}, file, machine });
  assert.equal(
    restoreCommandText('/bin/tsbk', settings).text,
    '/bin/tsbk archive-get --config /etc/tsbk.json "%f" "%p"',
  );
});
