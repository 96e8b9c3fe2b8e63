import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isTsbkError, type TsbkError } from '../kernel/errors.ts';
import { describeSettings } from './describe.ts';
import { loadSettings, resolveSettings, type LoadRequest } from './load.ts';
import { SETTING_LIST } from './table.ts';

const NOTHING: LoadRequest = { env: {}, flags: {}, machine: { cores: 2 } };

function load(request: Partial<LoadRequest>) {
  return loadSettings({ ...NOTHING, ...request });
}

function file(values: Readonly<Record<string, unknown>>, readableByOthers = false) {
  return { path: '/home/postgres/.walg.json', values, readableByOthers };
}

function refusal(request: Partial<LoadRequest>): TsbkError {
  try {
    load(request);
  } catch (error) {
    assert.ok(isTsbkError(error));
    return error;
  }
  throw new assert.AssertionError({ message: 'the settings were accepted' });
}

describe('precedence', () => {
  it('an option wins over the environment, that over the file, that over the default', () => {
    const flags = { 'tar-size-threshold': '4MiB' };
    const env = { WALG_TAR_SIZE_THRESHOLD: '3MiB' };
    const values = file({ WALG_TAR_SIZE_THRESHOLD: 2 * 1024 ** 2 });
    assert.equal(load({ flags, env, file: values }).config.tarBytes, 4 * 1024 ** 2);
    assert.equal(load({ env, file: values }).config.tarBytes, 3 * 1024 ** 2);
    assert.equal(load({ file: values }).config.tarBytes, 2 * 1024 ** 2);
    assert.equal(load({}).config.tarBytes, 1024 ** 3 - 1);
  });

  it('TSBK_X wins over WALG_X of the same source, and only of that', () => {
    const both = { TSBK_LANES: '3', WALG_UPLOAD_DISK_CONCURRENCY: '7' };
    assert.equal(load({ env: both }).config.lanes, 3);
    const env = { WALG_UPLOAD_DISK_CONCURRENCY: '7' };
    assert.equal(load({ env, file: file({ TSBK_LANES: 3 }) }).config.lanes, 7);
  });

  it('holds for every pair of sources and names of every setting', () => {
    const sources = ['flag', 'environment', 'file'] as const;
    const settings = SETTING_LIST.filter(
      ([key]) => key !== 'configFile' && !key.endsWith('Prefix'),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...settings),
        fc.uniqueArray(fc.tuple(fc.constantFrom(...sources), fc.nat()), { maxLength: 4 }),
        ([key, setting], places) => {
          const request = { env: {}, flags: {}, values: {} } as Record<string, object>;
          const given = places.map(([source, index]) => {
            const name = setting.env[index % setting.env.length] ?? '';
            return { source, name, flag: name.toLowerCase().replaceAll('_', '-') };
          });
          for (const { source, name, flag } of given) {
            if (source === 'flag') Object.assign(request['flags'] ?? {}, { [flag]: '?' });
            if (source === 'environment') Object.assign(request['env'] ?? {}, { [name]: '?' });
            if (source === 'file') Object.assign(request['values'] ?? {}, { [name]: '?' });
          }
          const { settings: loaded, problems } = resolveSettings({
            ...NOTHING,
            flags: request['flags'] as Record<string, string>,
            env: request['env'] as Record<string, string>,
            file: file(request['values'] as Record<string, unknown>),
          });
          const top = sources.find((source) => given.some((one) => one.source === source));
          const origin = loaded.origins[key]?.source;
          // What cannot be parsed is a problem of the place that counts, never a silent fallback.
          if (top !== undefined && origin === undefined) assert.ok(problems.length > 0);
          if (origin !== undefined) assert.equal(origin, top);
        },
      ),
    );
  });

  it('an empty variable counts as unset', () => {
    assert.equal(load({ env: { TSBK_LANES: '', WALG_UPLOAD_CONCURRENCY: '' } }).config.lanes, 2);
  });

  it('a line end after a value is cut off, but not after a key that is taken verbatim', () => {
    const { config } = load({ env: { AWS_REGION: 'eu-1\r\n', WALG_LIBSODIUM_KEY: 'k\n' } });
    assert.equal(config.s3Region, 'eu-1');
    assert.equal(config.libsodiumKey?.reveal(), 'k\n');
  });

  it("WAL-G's hidden options and file keys of any case work", () => {
    assert.equal(load({ flags: { 'walg-s3-prefix': 's3://b/x' } }).config.s3Prefix, 's3://b/x');
    const values = file({ walg_compression_method: 'zstd', 'zstd-level': 'best', lanes: 5 });
    const { config } = load({ file: values });
    assert.deepEqual([config.compressionMethod, config.zstdLevel, config.lanes], ['zstd', 11, 5]);
  });

  it('lanes follow the processors, up to four', () => {
    assert.equal(load({ machine: { cores: 1 } }).config.lanes, 1);
    assert.equal(load({ machine: { cores: 64 } }).config.lanes, 4);
  });
});

describe('names that nobody knows', () => {
  it('an unknown TSBK_ name is an error that names the nearest one', () => {
    const error = refusal({ env: { TSBK_COMPRESION_METHOD: 'zstd' } });
    assert.equal(error.code, 'usage');
    assert.match(error.message, /TSBK_COMPRESION_METHOD is no setting; did you mean TSBK_COMPRESS/);
  });

  it('an unknown file key is an error that names the file and the nearest one', () => {
    const error = refusal({ file: file({ PGPASSWROD: 'x' }) });
    assert.match(error.message, /PGPASSWROD in \/home\/.*did you mean PGPASSWORD\?/);
  });

  it('an unknown WALG_ name is a warning', () => {
    const { warnings } = load({ env: { WALG_COMPRESION_METHOD: 'zstd' } });
    assert.match(warnings[0]?.text ?? '', /did you mean WALG_COMPRESSION_METHOD/);
  });

  it('other variables of the environment are left alone', () => {
    const env = { PATH: '/bin', constructor: 'x', __proto__: 'x', SSH_CLIENT: 'x', GOPATH: '/go' };
    const { warnings, ignored } = load({ env });
    assert.deepEqual([warnings, ignored], [[], []]);
  });

  it('names of the launcher and of the tests are no settings, and no errors', () => {
    load({ env: { TSBK_NODE: '/usr/bin/node', TSBK_TEST_S3_ENDPOINT: 'http://x' } });
  });

  it('all that is wrong is told at once', () => {
    const { message } = refusal({ env: { TSBK_LANES: '-1', TSBK_NOPE: '1', GPG_KEY_ID: 'x' } });
    assert.match(message, /^3 settings are wrong/);
    assert.match(message, /TSBK_LANES must be a whole number/);
  });
});

describe('settings that WAL-G has and tsbk has not', () => {
  it('encryption that tsbk cannot do is refused, not left away', () => {
    for (const name of [
      'GPG_KEY_ID',
      'WALG_GPG_KEY_ID',
      'WALE_GPG_KEY_ID',
      'WALG_ENVELOPE_PGP_KEY',
      'WALG_CSE_KMS_ID',
      'YC_CSE_KMS_KEY_ID',
    ]) {
      const error = refusal({ env: { [name]: 'x' } });
      assert.equal(error.code, 'unsupported-setting', name);
      assert.match(error.message, new RegExp(`^${name} cannot be obeyed`));
    }
  });

  it('a key command beside a key is refused: which one would be the key?', () => {
    const env = { TSBK_KEY_COMMAND: 'cat key' };
    load({ env });
    load({ env: { ...env, WALG_PGP_KEY_PASSPHRASE: 'x', WALG_LIBSODIUM_KEY_TRANSFORM: 'hex' } });
    for (const name of ['WALG_PGP_KEY', 'TSBK_LIBSODIUM_KEY', 'WALG_LIBSODIUM_KEY_PATH']) {
      const { code, message } = refusal({ env: { ...env, [name]: '/key' } });
      assert.equal(code, 'usage');
      assert.match(message, /TSBK_KEY_COMMAND is set, and a key/);
    }
  });

  it('failover storages are refused, and the default target storage is not', () => {
    const failover = file({ WALG_FAILOVER_STORAGES: { second: { WALG_FILE_PREFIX: '/x' } } });
    assert.equal(refusal({ file: failover }).code, 'unsupported-setting');
    load({ env: { WALG_TARGET_STORAGE: 'default' } });
  });

  it('lzma is refused where objects are written, and no obstacle to a restore', () => {
    const env = { WALG_COMPRESSION_METHOD: 'lzma' };
    assert.equal(refusal({ env, command: 'archive-push' }).code, 'unsupported-setting');
    const { warnings } = load({ env, command: 'archive-get' });
    assert.equal(warnings[0]?.code, 'setting-unused');
  });

  it('harmless ones are accepted, with a reason', () => {
    const env = { WALG_USE_WAL_DELTA: '1', WALG_UPLOAD_QUEUE: '4', WALG_S3_LOG_LEVEL: 'DEVEL' };
    const { ignored, warnings } = load({ env });
    assert.deepEqual(warnings, []);
    assert.deepEqual(
      ignored.map(({ written }) => written),
      Object.keys(env),
    );
    for (const { reason } of ignored) assert.ok(reason.length > 5);
  });

  it('permission to overwrite WAL is not obeyed, and this is said', () => {
    const { warnings } = load({ env: { WALG_PREVENT_WAL_OVERWRITE: 'false' } });
    assert.equal(warnings[0]?.code, 'setting-not-obeyed');
  });
});

describe('the place of the repository', () => {
  it('is WAL-G’s choice when prefixes of two stores are set', () => {
    const env = { WALG_FILE_PREFIX: '/b', WALG_S3_PREFIX: 's3://bucket/x' };
    const { config, warnings } = load({ env });
    assert.equal(config.filePrefix, undefined);
    assert.equal(config.s3Prefix, 's3://bucket/x');
    assert.equal(warnings[0]?.code, 'setting-overridden');
  });

  it('is what an option or a name of ours says, before all others', () => {
    const env = {
      TSBK_FILE_PREFIX: '/b',
      WALG_S3_PREFIX: 's3://bucket/x',
      WALG_OSS_PREFIX: 'oss://x',
    };
    assert.equal(load({ env }).config.filePrefix, '/b');
    const flags = { 'walg-file-prefix': '/c' };
    const { config } = load({ env: { TSBK_S3_PREFIX: 's3://bucket' }, flags });
    assert.deepEqual([config.filePrefix, config.s3Prefix], ['/c', undefined]);
  });

  it('is an error when WAL-G would choose a store that tsbk cannot reach', () => {
    assert.equal(refusal({ env: { WALG_GS_PREFIX: 'gs://x' } }).code, 'unsupported-setting');
    const env = { WALG_OSS_PREFIX: 'oss://x', WALG_S3_PREFIX: 's3://bucket' };
    assert.match(refusal({ env }).message, /WALG_OSS_PREFIX: tsbk has no adapter/);
  });

  it('is not disturbed by a prefix that WAL-G would not look at', () => {
    const env = { WALG_GS_PREFIX: 'gs://x', WALG_S3_PREFIX: 's3://bucket' };
    assert.equal(load({ env }).config.s3Prefix, 's3://bucket');
  });
});

describe('variables for others', () => {
  it('of the file are given back as additions, unless the environment has them', () => {
    const values = file({ PGHOST: '/run', pgport: 5433, HTTPS_PROXY: 'http://p', AWS_EC2_X: 'y' });
    const { environment } = load({ env: { PGHOST: 'db' }, file: values });
    assert.deepEqual(environment, { PGPORT: '5433', HTTPS_PROXY: 'http://p', AWS_EC2_X: 'y' });
  });

  it('of options win over the environment', () => {
    const { environment } = load({ env: { PGHOST: 'db' }, flags: { pghost: 'other' } });
    assert.deepEqual(environment, { PGHOST: 'other' });
  });
});

describe('server-side encryption', () => {
  it('by KMS without a key is refused, and so is a customer key without AES256', () => {
    const env = { WALG_S3_PREFIX: 's3://b', WALG_S3_SSE: 'aws:kms' };
    assert.match(refusal({ env }).message, /no key is named/);
    load({ env: { ...env, WALG_S3_SSE_KMS_ID: 'k' } });
    const customer = { WALG_S3_PREFIX: 's3://b', WALG_S3_SSE_C: 'k'.repeat(32) };
    assert.match(refusal({ env: customer }).message, /AES256/);
  });
});

describe('secrets', () => {
  const CANARY = 'canary-4f1c';
  const secretNames = [
    ...SETTING_LIST.filter(([, setting]) => setting.secret).flatMap(([, setting]) => setting.env),
    'PGPASSWORD',
    'AWS_CONTAINER_AUTHORIZATION_TOKEN',
    'HTTPS_PROXY',
    'WALG_PGP_KEY',
    'WALG_LIBSODIUM_KEY',
  ];

  it('are never shown: not by describe, inspect, JSON or an error', () => {
    const texts = [CANARY, `{"X":"${CANARY}"}`, `{"X":"${CANARY}\n"}`];
    const requests = secretNames.flatMap((name) =>
      texts.flatMap((text) => [{ env: { [name]: text } }, { file: file({ [name]: text }) }]),
    );
    assert.ok(requests.length > 50);
    for (const request of requests) {
      const { settings, problems } = resolveSettings({ ...NOTHING, ...request });
      const { config, warnings, ignored } = settings;
      const shown = [
        JSON.stringify(describeSettings(settings)),
        inspect(config, { depth: 9, showHidden: true }),
        JSON.stringify([config, warnings, ignored]),
        String(config.libsodiumKey),
        inspect(problems, { depth: 9 }),
      ].join('\n');
      assert.ok(!shown.includes(CANARY), `${JSON.stringify(request)}: ${shown}`);
    }
  });

  it('in an option are warned about', () => {
    const { warnings } = load({ flags: { 'walg-libsodium-key': CANARY, pgpassword: CANARY } });
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ['secret-in-arguments', 'secret-in-arguments'],
    );
    assert.ok(!JSON.stringify(warnings).includes(CANARY));
  });

  it('in a file that others may read are warned about, and other settings are not', () => {
    const warned = load({ file: file({ AWS_SECRET_ACCESS_KEY: CANARY }, true) }).warnings;
    assert.match(warned[0]?.text ?? '', /chmod 600/);
    assert.deepEqual(load({ file: file({ AWS_REGION: 'eu-1' }, true) }).warnings, []);
  });
});

describe('describeSettings', () => {
  it('says of each setting what it is and where it came from', () => {
    const rows = describeSettings(
      load({
        env: { WALG_S3_PREFIX: 's3://b' },
        flags: { lanes: '3' },
        file: file({ PGHOST: '/run' }),
      }),
    );
    const row = (name: string) => rows.find((one) => one.name === name);
    assert.equal(row('TSBK_S3_PREFIX')?.from, 'WALG_S3_PREFIX');
    assert.deepEqual([row('TSBK_LANES')?.value, row('TSBK_LANES')?.source], ['3', 'flag']);
    assert.equal(row('TSBK_TAR_SIZE_THRESHOLD')?.value, '1073741823');
    assert.equal(row('PGHOST')?.from, 'PGHOST in /home/postgres/.walg.json');
    assert.equal(row('TSBK_WAL_TIMEOUT')?.value, '1h');
  });
});
