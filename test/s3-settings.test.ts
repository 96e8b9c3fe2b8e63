import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import { instantFromMs, instantToMs, type Instant } from '@tsbk/core/kernel/instant';
import { addressFor } from '@tsbk/core/storage/s3/address-for';
import { createS3Client } from '@tsbk/core/storage/s3/client';
import { openS3Store, type S3Options } from '@tsbk/core/storage/s3/open';
import { regionOfBucket } from '@tsbk/core/storage/s3/region';
import { contentOf, keysOf, noise, refuses, signal } from './contracts/blob-store/helpers.ts';
import { realClock } from './support/clock.ts';
import { onModel, patient, type OnModel } from './support/s3-on-model.ts';
import { startS3Model } from './support/s3-model/start.ts';
import { s3TestOptions } from './support/s3-store.ts';
import { tempDirectory } from './support/temp-directory.ts';

const fixture = (name: string): string =>
  fileURLToPath(new URL(`fixtures/tls/${name}`, import.meta.url));

describe('what is written to S3', () => {
  it('has the storage class, encryption, lock and headers that were set', async () => {
    const options = {
      storageClass: 'STANDARD_IA',
      sse: 'aws:kms',
      sseKmsId: 'key-1',
      retentionPeriodS: 3600,
      retentionMode: 'COMPLIANCE',
      additionalHeaders: { 'x-amz-meta-team': 'blue' },
    } as const;
    await using at = await onModel({ options });
    await at.store.put('a', noise(10), { signal });
    const upload = await at.store.upload('b', { signal });
    await upload.part({ number: 1, offset: 0, bytes: noise(10) }, { signal });
    await upload.complete({ signal });
    for (const operation of ['PutObject', 'CreateMultipartUpload']) {
      const request = at.model.requests.find((logged) => logged.operation === operation);
      const headers = request?.headers ?? {};
      assert.equal(headers['x-amz-storage-class'], 'STANDARD_IA');
      assert.equal(headers['x-amz-server-side-encryption'], 'aws:kms');
      assert.equal(headers['x-amz-server-side-encryption-aws-kms-key-id'], 'key-1');
      assert.equal(headers['x-amz-object-lock-mode'], 'COMPLIANCE');
      const until = Date.parse(headers['x-amz-object-lock-retain-until-date'] ?? '');
      assert.ok(Math.abs(until - Date.now() - 3_600_000) < 60_000);
      assert.equal(headers['x-amz-meta-team'], 'blue');
    }
    assert.deepEqual(await contentOf(at.store, 'b'), noise(10));
  });

  it('with a customer key can be read with that key only', async () => {
    const key = 'k'.repeat(32);
    await using at = await onModel({ options: { sseCustomerKey: key, sse: 'AES256' } });
    await at.store.put('a', noise(10), { signal, ifAbsent: true });
    const upload = await at.store.upload('b', { signal, ifAbsent: true });
    await upload.part({ number: 1, offset: 0, bytes: noise(10) }, { signal });
    assert.equal(await upload.complete({ signal }), 'stored');
    assert.deepEqual(await contentOf(at.store, 'a', { from: 3 }), noise(10).subarray(3));
    assert.deepEqual(await contentOf(at.store, 'b'), noise(10));
    const inBase64 = await at.another({ sseCustomerKey: Buffer.from(key).toString('base64') });
    assert.deepEqual(await contentOf(inBase64, 'b'), noise(10));
    const without = await at.another({ sseCustomerKey: undefined, sse: undefined });
    await assert.rejects(contentOf(without, 'a'), (error) => isTsbkError(error));
    const wrong = await at.another({ sseCustomerKey: 'x'.repeat(32) });
    await refuses('store-denied', () => contentOf(wrong, 'a'));
  });

  it('is signed, all of it, and sent without chunked encoding', async () => {
    await using at = await onModel({ options: { sessionToken: 'token-1' } });
    await at.store.put('a', noise(3_000_000), { signal });
    const headers = at.model.requests[0]?.headers ?? {};
    assert.match(headers['x-amz-content-sha256'] ?? '', /^[0-9a-f]{64}$/);
    assert.ok(headers['x-amz-checksum-crc32']);
    assert.equal(headers['content-encoding'], undefined);
    assert.equal(headers['expect'], undefined);
    assert.equal(headers['x-amz-security-token'], 'token-1');
  });
});

describe('settings that cannot work', () => {
  const server = {
    endpoint: 'e',
    region: 'r',
    accessKeyId: 'a',
    secretAccessKey: 's',
    bucket: 'b',
  };
  const bad = {
    'a KMS encryption without a key': { sse: 'aws:kms' },
    'a KMS key without its encryption': { sseKmsId: 'k' },
    'an unknown encryption': { sse: 'rot13' },
    'a customer key of another length': { sseCustomerKey: 'short' },
    'a customer key beside KMS': { sseCustomerKey: 'k'.repeat(32), sse: 'aws:kms', sseKmsId: 'k' },
    'no bucket': { bucket: '' },
    'a lock of no time': { retentionPeriodS: 0 },
    'a CA file that is not there': { caCertFile: 'nowhere.pem' },
  };
  for (const [name, extra] of Object.entries(bad)) {
    it(`such as ${name} are refused before anything is asked`, async () => {
      const options = s3TestOptions(server, extra);
      await refuses('usage', () => openS3Store(options, { clock: realClock }));
    });
  }
});

describe('TLS to S3', () => {
  async function onTls() {
    const [key, cert] = await Promise.all(
      ['loopback.key', 'loopback.crt'].map((name) => readFile(fixture(name), 'utf8')),
    );
    return onModel({ model: { tls: { key: key ?? '', cert: cert ?? '' } } });
  }

  it('trusts the certificates of the CA file', async () => {
    await using at = await onTls();
    const store = await at.another({ caCertFile: fixture('loopback.crt') });
    await store.put('a', noise(10), { signal });
    assert.deepEqual(await contentOf(store, 'a'), noise(10));
  });

  it('refuses a certificate that nobody vouches for, at once', async () => {
    await using at = await onTls();
    await refuses('store-tls', () => patient(at.store).put('a', noise(10), { signal }));
    await refuses('store-tls', () => at.store.stat('a', { signal }));
  });

  it('refuses it also with NODE_TLS_REJECT_UNAUTHORIZED=0', async (t) => {
    await using at = await onTls();
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    t.after(() => delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']);
    await refuses('store-tls', () => at.store.stat('a', { signal }));
  });

  it('refuses a certificate for another host', async () => {
    await using at = await onTls();
    const endpoint = at.model.endpoint.replace('127.0.0.1', 'localhost');
    const store = await at.another({ endpoint, caCertFile: fixture('loopback.crt') });
    await refuses('store-tls', () => store.stat('a', { signal }));
  });

  it('is what an endpoint without a scheme means', async () => {
    await using at = await onTls();
    const endpoint = at.model.endpoint.replace('https://', '');
    const store = await at.another({ endpoint, caCertFile: fixture('loopback.crt') });
    assert.equal(await store.stat('a', { signal }), undefined);
  });
});

describe('an endpoint in the files of the AWS tools', () => {
  const files = {
    'of the profile': '[profile backup]\nendpoint_url = http://127.0.0.1:1 # here\n',
    'of the profile, where it is said twice':
      '[profile backup]\nregion = r\n[default]\n[profile backup]\nendpoint_url=http://127.0.0.1:1',
    'of a services section':
      '[services ours]\nec2 =\n  endpoint_url = http://127.0.0.2:1\ns3 =\n  endpoint_url = http://127.0.0.1:1\n[profile backup]\nservices = ours\n',
  };
  const server = { region: 'r', accessKeyId: 'a', secretAccessKey: 's', bucket: 'b' };
  const open = async (text: string, extra: Partial<S3Options>): Promise<void> => {
    await using directory = await tempDirectory();
    const file = join(directory.path, 'config');
    await writeFile(file, text);
    const none = join(directory.path, 'none');
    const options = s3TestOptions(
      { endpoint: '', ...server },
      { endpoint: undefined, configFile: file, sharedCredentialsFile: none, ...extra },
    );
    const store = await openS3Store(options, { clock: realClock });
    await store.close();
  };
  const profile = 'backup';

  for (const [title, text] of Object.entries(files)) {
    it(`${title} is refused, with what to set`, async () => {
      await assert.rejects(open(text, { profile }), (error) => {
        assert.ok(isTsbkError(error, 'unsupported-setting'), String(error));
        assert.match(
          error.message,
          /endpoint_url = http:\/\/127\.0\.0\.1:1 for the profile backup/,
        );
        assert.match(error.hint ?? '', /TSBK_S3_ENDPOINT/);
        return true;
      });
    });
  }

  it('is of no interest where one is set, in another profile, of another service, or declared void', async () => {
    const own = files['of the profile'];
    await open(own, { profile, endpoint: 'http://127.0.0.1:2' });
    await open(own, {});
    await open(own, { profile: 'back' });
    await open(`${own}ignore_configured_endpoint_urls = true\n`, { profile });
    await open('[services x]\nec2 =\n  endpoint_url = http://y\n[profile backup]\nservices = x\n', {
      profile,
    });
  });

  it('is never followed, even where it was not seen', async (t) => {
    await using directory = await tempDirectory();
    const file = join(directory.path, 'config');
    await writeFile(file, '[default]\nendpoint_url = http://127.0.0.1:1\n');
    // The SDK goes by this variable, whatever the settings name.
    process.env['AWS_CONFIG_FILE'] = file;
    t.after(() => delete process.env['AWS_CONFIG_FILE']);
    const none = join(directory.path, 'none');
    const options = { ...server, prefix: '', configFile: none, sharedCredentialsFile: none };
    // One that has the SDK asked, and one that has not.
    for (const asksSdk of [true, false]) {
      const { url, path, region } = await addressFor({ ...options, asksSdk }, { clock: realClock });
      assert.deepEqual([url.href, path, region], ['https://s3.r.amazonaws.com/', '/b', 'r']);
    }
  });
});

describe('the region', () => {
  it('is found by asking for the bucket', async () => {
    const model = await startS3Model({ region: 'eu-central-1', buckets: ['here'] });
    const { endpoint, accessKeyId, secretAccessKey } = model;
    const options = s3TestOptions({
      endpoint,
      region: 'us-east-1',
      accessKeyId,
      secretAccessKey,
      bucket: 'here',
    });
    const client = await createS3Client(options, { clock: realClock });
    assert.equal(await regionOfBucket(client, { bucket: 'here', signal }), 'eu-central-1');
    client.destroy();
    await model.close();
  });

  it('comes from the files of the AWS SDK where the settings do not say it, and so does FIPS', async (t) => {
    await using directory = await tempDirectory();
    const file = join(directory.path, 'config');
    await writeFile(file, '[default]\nregion = us-west-2\nuse_fips_endpoint = true\n');
    process.env['AWS_CONFIG_FILE'] = file;
    t.after(() => delete process.env['AWS_CONFIG_FILE']);
    const place = { bucket: 'bucket', prefix: '', configFile: file };
    const found = await addressFor(place, { clock: realClock });
    assert.deepEqual(
      [found.url.href, found.path, found.region],
      ['https://bucket.s3-fips.us-west-2.amazonaws.com/', '', 'us-west-2'],
    );
    const { url } = await addressFor({ ...place, region: 'us-east-2' }, { clock: realClock });
    assert.equal(url.href, 'https://bucket.s3-fips.us-east-2.amazonaws.com/');
  });

  it('that is wrong is an error which names the setting', async () => {
    await using at = await onModel({
      model: { region: 'eu-central-1' },
      options: { region: 'us-east-1' },
    });
    await assert.rejects(keysOf(at.store), (error) => {
      assert.ok(isTsbkError(error, 'store-failed'));
      assert.match(error.hint ?? '', /AWS_REGION/);
      return true;
    });
  });
});

describe('a clock that is wrong', () => {
  it('by more than a signature allows is set right by what the service says', async () => {
    await using at = await onModel();
    const hourMs = 3_600_000;
    for (const offMs of [hourMs, -hourMs]) {
      const now = (): Instant => instantFromMs(instantToMs(realClock.now()) + offMs);
      const store = await openS3Store(at.options, { clock: { ...realClock, now } });
      const failure = await store.put('a', noise(10), { signal }).catch((error: unknown) => error);
      assert.ok(isTsbkError(failure, 'store-denied') && failure.retry);
      assert.match(failure.message, /RequestTimeTooSkewed/);
      assert.equal(await store.put('a', noise(10), { signal }), 'stored');
      await store.close();
    }
  });
});

/** Credentials of a program, which a profile names: each call gives another token, until they fail. `minutes` are the first one's. */
async function fromProcess(
  at: OnModel,
  folder: string,
  { minutes, failsAfter = Infinity }: { readonly minutes: number; readonly failsAfter?: number },
): Promise<Partial<S3Options>> {
  const { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey } = at.model;
  const program = join(folder, 'credentials.mjs');
  const counter = JSON.stringify(join(folder, 'count'));
  const answer = JSON.stringify({ Version: 1, AccessKeyId, SecretAccessKey });
  const source = [
    `import { appendFileSync, readFileSync } from 'node:fs';`,
    `appendFileSync(${counter}, 'x');`,
    `const calls = readFileSync(${counter}).length;`,
    `if (calls > ${failsAfter}) process.exit(1);`,
    `const Expiration = new Date(Date.now() + ${minutes} * calls * 60e3).toISOString();`,
    `console.log(JSON.stringify({ ...${answer}, SessionToken: 'token-' + calls, Expiration }));`,
  ];
  await writeFile(program, source.join('\n'));
  const configFile = join(folder, 'config');
  const command = `credential_process = ${process.execPath} ${program}`;
  await writeFile(configFile, `[profile fresh]\n${command}\n`);
  return {
    accessKeyId: undefined,
    secretAccessKey: undefined,
    profile: 'fresh',
    configFile,
    sharedCredentialsFile: join(folder, 'none'),
  };
}

describe('credentials', () => {
  it('from a profile are renewed when S3 says that they have expired (C16)', async () => {
    await using directory = await tempDirectory();
    await using at = await onModel({ model: { modes: { expiredTokens: new Set(['token-1']) } } });
    const store = await at.another(await fromProcess(at, directory.path, { minutes: 60 }));
    assert.equal(await patient(store).put('a', noise(10), { signal }), 'stored');
    const tokens = at.model.requests.map(({ headers }) => headers['x-amz-security-token']);
    assert.deepEqual(tokens, ['token-1', 'token-2', 'token-2']);
  });

  it('that are about to expire are asked for anew, and count to their end where that fails', async () => {
    for (const [failsAfter, tokens] of [
      [Infinity, ['token-1', 'token-1', 'token-2', 'token-2']],
      [1, ['token-1', 'token-1', 'token-1', 'token-1']],
    ] as const) {
      await using directory = await tempDirectory();
      await using at = await onModel();
      const source = await fromProcess(at, directory.path, { minutes: 6, failsAfter });
      let passedMs = 0;
      const now = (): Instant => instantFromMs(instantToMs(realClock.now()) + passedMs);
      const store = await openS3Store(
        { ...at.options, ...source },
        { clock: { ...realClock, now } },
      );
      await store.put('a', noise(10), { signal });
      passedMs = 2 * 60_000;
      await store.put('b', noise(10), { signal });
      await store.close();
      const sent = at.model.requests.map(({ headers }) => headers['x-amz-security-token']);
      assert.deepEqual(sent, tokens);
    }
  });

  it('that are fixed and have expired are not tried again', async () => {
    await using at = await onModel({
      options: { sessionToken: 'old' },
      model: { modes: { expiredTokens: new Set(['old']) } },
    });
    await refuses('store-denied', () => patient(at.store).stat('a', { signal }));
    await refuses('store-denied', () => patient(at.store).get('a', { signal }));
    const operations = at.model.requests.map(({ operation }) => operation);
    // HEAD cannot say why it was refused; the list can.
    assert.deepEqual(operations, ['HeadObject', 'ListObjectsV2', 'GetObject']);
  });

  it('never show in an error, however it is printed', async () => {
    const secretAccessKey = 'CANARY-secret-access-key';
    const sessionToken = 'CANARY-session-token';
    const sseCustomerKey = 'CANARY-customer-key-of-32-bytes!';
    await using at = await onModel({ options: { secretAccessKey, sessionToken, sseCustomerKey } });
    const attempts = [
      () => at.store.put('a', noise(10), { signal }),
      () => at.store.get('a', { signal }),
      () => at.store.stat('a', { signal }),
      () => keysOf(at.store),
    ];
    for (const attempt of attempts) {
      await assert.rejects(attempt, (error) => {
        const printed = inspect(error, { depth: 20, showHidden: true });
        assert.doesNotMatch(printed, /CANARY|Q0FOQVJZ/);
        return isTsbkError(error);
      });
    }
    await at.model.close();
    await assert.rejects(at.store.get('a', { signal }), (error) => {
      assert.doesNotMatch(inspect(error, { depth: 20, showHidden: true }), /CANARY|Q0FOQVJZ/);
      return true;
    });
  });
});
