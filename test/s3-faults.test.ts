import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import { exitCodeOf } from '@tsbk/core/kernel/exit';
import type { BlobStore, UploadPart } from '@tsbk/core/ports/blob-store';
import { putStream } from '@tsbk/core/repository/put-stream';
import { probeConditionalWrites } from '@tsbk/core/storage/probe-conditional-writes';
import { sourceOf } from '@tsbk/core/stream/source';
import {
  contentOf,
  keysOf,
  noise,
  refuses,
  signal,
  unfinishedOf,
} from './contracts/blob-store/helpers.ts';
import { onModel, patient } from './support/s3-on-model.ts';

const PART = 5 * 1024 * 1024;
const whole = noise(PART + 1000);
const parts: readonly UploadPart[] = [
  { number: 1, offset: 0, bytes: whole.subarray(0, PART) },
  { number: 2, offset: PART, bytes: whole.subarray(PART) },
];

async function uploadWhole(store: BlobStore, key: string, ifAbsent = false): Promise<string> {
  const upload = await store.upload(key, { signal, ifAbsent });
  for (const part of parts) await upload.part(part, { signal });
  return upload.complete({ signal });
}

async function failureOf(
  action: () => Promise<unknown>,
): Promise<{ code: string; retry: boolean }> {
  try {
    await action();
  } catch (error) {
    assert.ok(isTsbkError(error), String(error));
    return { code: error.code, retry: error.retry };
  }
  return assert.fail('it succeeded');
}

describe('a service that fails for a while (C1)', () => {
  const answers = [
    [500, 'InternalError', 'store-unreachable'],
    [502, 'BadGateway', 'store-unreachable'],
    [503, 'ServiceUnavailable', 'store-unreachable'],
    [503, 'SlowDown', 'store-throttled'],
    [429, 'TooManyRequests', 'store-throttled'],
    [409, 'OperationAborted', 'store-conflict'],
    [409, 'ConditionalRequestConflict', 'store-conflict'],
    [400, 'RequestTimeout', 'store-unreachable'],
  ] as const;

  for (const [status, code, expected] of answers) {
    it(`with ${status} ${code} is asked again until it answers`, async () => {
      await using at = await onModel();
      at.model.addRule({ times: 3, fault: { kind: 'status', status, code } });
      const put = (): Promise<unknown> => at.store.put('a', noise(10), { signal, ifAbsent: true });
      assert.deepEqual(await failureOf(put), { code: expected, retry: true });
      assert.equal(
        await patient(at.store).put('a', noise(10), { signal, ifAbsent: true }),
        'stored',
      );
      assert.deepEqual(await contentOf(at.store, 'a'), noise(10));
    });
  }

  it('for ever is given up after the attempts allowed, as a temporary failure', async () => {
    await using at = await onModel();
    at.model.addRule({ times: 1000, fault: { kind: 'status', status: 503, code: 'SlowDown' } });
    await assert.rejects(patient(at.store, 7).stat('a', { signal }), (error) => {
      assert.equal(exitCodeOf(error), 75);
      return true;
    });
    assert.equal(at.model.requests.length, 7);
  });
});

describe('a service that cannot be reached (C2)', () => {
  it('is never a service without the object', async () => {
    await using at = await onModel();
    await at.store.put('a', noise(10), { signal });
    await at.model.close();
    const { store } = at;
    for (const action of [
      () => store.stat('b', { signal }),
      () => store.get('b', { signal }),
      () => keysOf(store),
      () => store.put('b', noise(10), { signal }),
      () => store.remove('b', { signal }),
    ]) {
      assert.deepEqual(await failureOf(action), { code: 'store-unreachable', retry: true });
    }
  });

  it('because its name does not exist is unreachable', async () => {
    await using at = await onModel({ options: { endpoint: 'http://s3.invalid' } });
    const { code } = await failureOf(() => at.store.stat('a', { signal }));
    assert.equal(code, 'store-unreachable');
  });

  for (const kind of ['reset', 'drop'] as const) {
    it(`because of a ${kind} of any request is asked again`, async () => {
      await using at = await onModel();
      const operations = ['PutObject', 'HeadObject', 'GetObject', 'ListObjectsV2', 'DeleteObject'];
      for (const operation of operations) at.model.addRule({ operation, fault: { kind } });
      const store = patient(at.store);
      assert.equal(await store.put('a', noise(10), { signal, ifAbsent: true }), 'stored');
      assert.deepEqual(await contentOf(store, 'a'), noise(10));
      assert.deepEqual(await keysOf(store), ['a']);
      await store.remove('a', { signal });
      assert.equal(await store.stat('a', { signal }), undefined);
    });
  }
});

describe('a service that stands still (C3)', () => {
  const hurried = { requestTimeoutMs: 250 };

  it('without an answer is a timeout for every operation', async () => {
    await using at = await onModel({ options: hurried });
    at.model.addRule({ times: 1000, fault: { kind: 'hang' } });
    const { store } = at;
    await refuses('store-timeout', () => store.stat('a', { signal }));
    await refuses('store-timeout', () => store.get('a', { signal }));
    await refuses('store-timeout', () => store.put('a', noise(10), { signal }));
    await refuses('store-timeout', () => store.upload('a', { signal }));
    await refuses('store-timeout', () => keysOf(store));
    await refuses('store-timeout', () => store.remove('a', { signal }));
  });

  it('in the middle of a part is a timeout', async () => {
    await using at = await onModel();
    const upload = await patient(await at.another(hurried)).upload('a', { signal });
    const fault = { kind: 'slow-intake', bytesPerTick: 1 } as const;
    at.model.addRule({ operation: 'UploadPart', times: 1000, fault });
    const long = { number: 1, offset: 0, bytes: noise(24 * 1024 * 1024) };
    await refuses('store-timeout', () => upload.part(long, { signal }));
  });

  it('in the middle of a body is a timeout, also if a byte comes now and then', async () => {
    await using at = await onModel();
    const content = noise(1_000_000);
    await at.store.put('a', content, { signal });
    const store = await at.another(hurried);
    at.model.addRule({ operation: 'GetObject', fault: { kind: 'trickle' } });
    await refuses('store-timeout', () => contentOf(store, 'a'));
    at.model.addRule({ operation: 'GetObject', fault: { kind: 'trickle' } });
    assert.deepEqual(await contentOf(patient(store, 100), 'a'), content);
  });

  it('is not one whose reader takes its time', async () => {
    const requestTimeoutMs = 2000;
    await using at = await onModel({ options: { requestTimeoutMs } });
    const content = noise(3_000_000);
    await at.store.put('a', content, { signal });
    const blob = await at.store.get('a', { signal });
    const chunks: Uint8Array[] = [];
    for await (const chunk of blob?.body ?? []) {
      chunks.push(chunk);
      if (chunks.length === 2) {
        await new Promise((resolve) => setTimeout(resolve, requestTimeoutMs + 1000));
      }
    }
    assert.deepEqual(Buffer.concat(chunks), content);
  });
});

describe('a connection that is lost', () => {
  it('in the middle of a part costs that part only (C4)', async () => {
    await using at = await onModel();
    const fault = { kind: 'half-request' } as const;
    at.model.addRule({ operation: 'UploadPart', part: 1, times: 2, fault });
    assert.equal(await uploadWhole(patient(at.store), 'a'), 'stored');
    assert.deepEqual(await contentOf(at.store, 'a'), whole);
    const sent = at.model.requests.filter(({ operation }) => operation === 'UploadPart');
    assert.deepEqual(
      sent.map(({ part }) => part),
      [1, 1, 1, 2],
    );
  });

  it('in the middle of a body is an error, and the rest can be had (C5)', async () => {
    await using at = await onModel();
    await at.store.put('a', whole, { signal });
    const fault = { kind: 'cut-answer', announced: true } as const;
    at.model.addRule({ operation: 'GetObject', times: 3, fault });
    await refuses('object-truncated', () => contentOf(at.store, 'a'));
    assert.deepEqual(await contentOf(patient(at.store), 'a'), whole);
    const last = at.model.requests.at(-1);
    assert.match(last?.headers['range'] ?? '', /^bytes=\d+-$/);
    assert.ok(last?.headers['if-match']);
  });

  it('in the middle of a body without a length is an error too (C5)', async () => {
    await using at = await onModel();
    await at.store.put('a', noise(1000), { signal });
    const fault = { kind: 'cut-answer', announced: false } as const;
    at.model.addRule({ operation: 'GetObject', fault });
    await refuses('store-failed', () => contentOf(at.store, 'a'));
  });

  it('while the object is replaced does not mix the two', async () => {
    await using at = await onModel();
    await at.store.put('a', whole, { signal });
    const fault = { kind: 'cut-answer', announced: true } as const;
    at.model.addRule({ operation: 'GetObject', fault });
    const blob = await patient(at.store).get('a', { signal });
    await at.store.put('a', noise(whole.length, 9), { signal });
    await assert.rejects(
      async () => {
        for await (const chunk of blob?.body ?? []) assert.ok(chunk.length > 0);
      },
      (error) => isTsbkError(error, 'object-corrupt'),
    );
  });
});

describe('a body that was changed on the way', () => {
  it('is found by the checksum it was stored with', async () => {
    await using at = await onModel();
    await at.store.put('a', noise(100_000), { signal });
    at.model.addRule({ operation: 'GetObject', fault: { kind: 'corrupt-answer' } });
    await refuses('object-corrupt', () => contentOf(at.store, 'a'));
  });
});

describe('the end of an upload (C7)', () => {
  for (const ifAbsent of [false, true]) {
    it(`that fails inside of a 200 is a failure, and can be repeated; if absent: ${ifAbsent}`, async () => {
      await using at = await onModel();
      const fault = { kind: 'error-in-200', code: 'InternalError' } as const;
      at.model.addRule({ operation: 'CompleteMultipartUpload', times: 2, fault });
      const upload = await at.store.upload('a', { signal, ifAbsent });
      for (const part of parts) await upload.part(part, { signal });
      const failure = await failureOf(() => upload.complete({ signal }));
      assert.deepEqual(failure, { code: 'store-unreachable', retry: true });
      assert.equal(await at.store.stat('a', { signal }), undefined);
      await refuses('store-unreachable', () => upload.complete({ signal }));
      assert.equal(await upload.complete({ signal }), 'stored');
      assert.deepEqual(await contentOf(at.store, 'a'), whole);
    });

    for (const fault of [
      { kind: 'lost-answer' },
      { kind: 'empty-answer' },
      { kind: 'cut-answer', announced: true },
      { kind: 'cut-answer', announced: false },
    ] as const) {
      it(`with a ${fault.kind} is decided by what is there; if absent: ${ifAbsent}`, async () => {
        await using at = await onModel();
        at.model.addRule({ operation: 'CompleteMultipartUpload', fault });
        assert.equal(await uploadWhole(at.store, 'a', ifAbsent), 'stored');
        assert.deepEqual(await contentOf(at.store, 'a'), whole);
      });
    }
  }

  it('that something else acknowledges is not the end', async () => {
    await using at = await onModel();
    const fault = { kind: 'foreign-page', status: 200 } as const;
    at.model.addRule({ operation: 'CompleteMultipartUpload', fault });
    assert.equal(await uploadWhole(patient(at.store), 'a', true), 'stored');
    assert.deepEqual(await contentOf(at.store, 'a'), whole);
  });

  it('that cannot be looked at first is looked at again', async () => {
    await using at = await onModel();
    const fault = { kind: 'status', status: 503, code: 'SlowDown' } as const;
    at.model.addRule({ operation: 'HeadObject', times: 2, fault });
    assert.equal(await uploadWhole(patient(at.store), 'a', true), 'stored');
    assert.deepEqual(await contentOf(at.store, 'a'), whole);
  });

  it('that meets another object is over, also if it cannot be freed', async () => {
    await using at = await onModel();
    await at.store.put('a', noise(10), { signal });
    const fault = { kind: 'reset' } as const;
    at.model.addRule({ operation: 'AbortMultipartUpload', fault });
    assert.equal(await uploadWhole(at.store, 'a', true), 'exists');
    assert.deepEqual(await unfinishedOf(at.store), ['a']);
  });

  it('of another writer is not ours, even with the same content', async () => {
    await using at = await onModel();
    const upload = await at.store.upload('a', { signal, ifAbsent: true });
    for (const part of parts) await upload.part(part, { signal });
    assert.equal(await uploadWhole(at.store, 'a', true), 'stored');
    assert.equal(await upload.complete({ signal }), 'exists');
    assert.deepEqual(await unfinishedOf(at.store), []);
  });

  it('whose answer is lost and whose effect was undone is a failure', async () => {
    await using at = await onModel();
    const fault = { kind: 'swallow' } as const;
    at.model.addRule({ operation: 'CompleteMultipartUpload', times: 2, fault });
    for (const store of [at.store, patient(at.store)]) {
      const failure = await failureOf(() => uploadWhole(store, 'a'));
      assert.equal(failure.code, 'store-corrupt-write');
    }
    assert.equal(await at.store.stat('a', { signal }), undefined);
  });
});

describe('a put that is acknowledged and lost (C8)', () => {
  it('is found before anybody relies on it', async () => {
    await using at = await onModel();
    at.model.addRule({ operation: 'PutObject', times: 2, fault: { kind: 'swallow' } });
    const failure = await failureOf(() => at.store.put('a', noise(10), { signal }));
    assert.deepEqual(failure, { code: 'store-corrupt-write', retry: true });
    assert.equal(await patient(at.store).put('a', noise(10), { signal, ifAbsent: true }), 'stored');
    assert.deepEqual(await contentOf(at.store, 'a'), noise(10));
  });

  it('is found also if an older object is there', async () => {
    await using at = await onModel();
    await at.store.put('a', noise(10, 1), { signal });
    at.model.addRule({ operation: 'PutObject', fault: { kind: 'swallow' } });
    await refuses('store-corrupt-write', () => at.store.put('a', noise(10, 2), { signal }));
  });
});

describe('two writers of one name (C10)', () => {
  for (const same of [true, false]) {
    it(`with ${same ? 'the same' : 'different'} content leave one object`, async () => {
      await using at = await onModel();
      const [one, two] = [patient(at.store), patient(await at.another())];
      for (let round = 0; round < 25; round += 1) {
        const key = `wal_005/${round}`;
        const contents = [noise(5000, 2 * round + 1), noise(5000, 2 * round + (same ? 1 : 2))];
        const operation = 'PutObject';
        if (round % 2 === 0) at.model.addRule({ operation, fault: { kind: 'lost-answer' } });
        if (round % 3 === 0) at.model.addRule({ operation, fault: { kind: 'delay', ms: 5 } });
        const outcomes = await Promise.all([
          one.put(key, contents[0] ?? Buffer.alloc(0), { signal, ifAbsent: true }),
          two.put(key, contents[1] ?? Buffer.alloc(0), { signal, ifAbsent: true }),
        ]);
        at.model.clearRules();
        const winner = outcomes.indexOf('stored');
        assert.ok(winner >= 0, `round ${round}: ${outcomes.join()}`);
        if (!same) assert.deepEqual(outcomes.toSorted(), ['exists', 'stored']);
        assert.deepEqual(await contentOf(at.store, key), contents[winner]);
      }
    });
  }
});

describe('a service without conditional writes (C11)', () => {
  it('is found by trying', async () => {
    await using at = await onModel();
    assert.deepEqual(await probeConditionalWrites(at.store, { signal }), {
      put: true,
      upload: true,
    });
    at.model.state.modes.conditionalWrites = 'ignored';
    const found = await probeConditionalWrites(at.store, { signal });
    assert.deepEqual(found, { put: false, upload: false });
    assert.deepEqual(await keysOf(at.store), []);
    assert.deepEqual(await unfinishedOf(at.store), []);
  });

  it('that says so is an error with a hint', async () => {
    await using at = await onModel({ model: { modes: { conditionalWrites: 'not-implemented' } } });
    await assert.rejects(at.store.put('a', noise(1), { signal, ifAbsent: true }), (error) => {
      assert.ok(isTsbkError(error, 'store-failed'));
      assert.match(error.hint ?? '', /conditional/);
      return true;
    });
  });

  it('keeps what it has if we are told to look first', async () => {
    const options = { conditionalWrites: 'check-first' } as const;
    await using at = await onModel({ options, model: { modes: { conditionalWrites: 'ignored' } } });
    assert.deepEqual(await probeConditionalWrites(at.store, { signal }), {
      put: true,
      upload: true,
    });
  });
});

describe('a credential that may not do everything', () => {
  it('or not list gets 403 for a missing object, which is not absence (C13)', async () => {
    await using at = await onModel({ model: { modes: { missingIsDenied: true } } });
    await refuses('store-denied', () => at.store.stat('a', { signal }));
    await refuses('store-denied', () => at.store.get('a', { signal }));
    await at.store.put('a', noise(10), { signal, ifAbsent: true });
    assert.deepEqual(await contentOf(at.store, 'a'), noise(10));
  });

  it('is told what was refused, and it is not tried again (C17)', async () => {
    await using at = await onModel();
    await at.store.put('a', noise(10), { signal });
    const denied = [
      'PutObject',
      'GetObject',
      'DeleteObject',
      'ListObjectsV2',
      'CreateMultipartUpload',
    ];
    at.model.state.modes.denied = new Set(denied);
    const store = patient(at.store);
    const before = at.model.requests.length;
    await refuses('store-denied', () => store.put('b', noise(10), { signal }));
    await refuses('store-denied', () => store.get('a', { signal }));
    await refuses('store-denied', () => store.remove('a', { signal }));
    await refuses('store-denied', () => keysOf(store));
    await refuses('store-denied', () => store.upload('b', { signal }));
    assert.equal(at.model.requests.length - before, 5);
  });

  it('with a wrong secret is refused', async () => {
    await using at = await onModel({ options: { secretAccessKey: 'wrong' } });
    await refuses('store-denied', () => at.store.get('a', { signal }));
  });
});

describe('something that is not S3', () => {
  it('cannot prove that an object is absent', async () => {
    await using at = await onModel();
    const fault = { kind: 'foreign-page', status: 404 } as const;
    at.model.addRule({ times: 1000, fault });
    await refuses('store-failed', () => at.store.stat('a', { signal }));
    await refuses('store-failed', () => at.store.get('a', { signal }));
  });

  it('cannot hide an object by a 404 in between', async () => {
    await using at = await onModel();
    await at.store.put('a', noise(10), { signal });
    for (const operation of ['HeadObject', 'GetObject']) {
      at.model.addRule({ operation, fault: { kind: 'foreign-page', status: 404 } });
    }
    assert.deepEqual(await failureOf(() => at.store.stat('a', { signal })), {
      code: 'store-failed',
      retry: true,
    });
    assert.deepEqual(await contentOf(patient(at.store), 'a'), noise(10));
  });
});

describe('a full store (C18)', () => {
  it('is an error, and nothing half-written is visible', async () => {
    await using at = await onModel({ model: { modes: { quotaBytes: PART + 100 } } });
    await at.store.put('small', noise(10), { signal });
    const stored = putStream(at.store, 'a', sourceOf(whole), {
      signal,
      partBytes: PART,
      partsInFlight: 2,
    });
    await assert.rejects(stored, (error) => isTsbkError(error, 'store-full'));
    assert.deepEqual(await keysOf(at.store), ['small']);
    assert.deepEqual(await unfinishedOf(at.store), []);
  });
});

describe('the limits of uploads (C19)', () => {
  const limits = {
    partBytesMin: 1000,
    partBytesMax: 100_000,
    partsMax: 20,
    objectBytesMax: 400_000,
  };
  const small = { options: { limits }, model: { limits: { partBytesMin: 1000, partsMax: 20 } } };

  it('are kept by an object of unknown length, up to the longest', async () => {
    await using at = await onModel(small);
    for (const bytes of [999, 1000, 20_000, 399_999, 400_000]) {
      const source = sourceOf(noise(bytes));
      await putStream(at.store, 'a', source, { signal, partBytes: 1000, partsInFlight: 3 });
      assert.deepEqual(await contentOf(at.store, 'a'), noise(bytes));
    }
  });

  it('refuse a longer one, and leave nothing of it', async () => {
    await using at = await onModel(small);
    const stored = putStream(at.store, 'a', sourceOf(noise(800_000)), {
      signal,
      partBytes: 1000,
      partsInFlight: 3,
    });
    await assert.rejects(stored, (error) => isTsbkError(error, 'store-failed'));
    assert.deepEqual(await keysOf(at.store), []);
    assert.deepEqual(await unfinishedOf(at.store), []);
  });

  it('are those of S3 if nobody says otherwise', async () => {
    await using at = await onModel();
    const upload = await at.store.upload('a', { signal });
    await upload.part({ number: 1, offset: 0, bytes: noise(100) }, { signal });
    await upload.part({ number: 2, offset: 100, bytes: noise(100) }, { signal });
    await refuses('store-failed', () => upload.complete({ signal }));
    await upload.abort({ signal });
    assert.equal(await at.store.stat('a', { signal }), undefined);
  });
});
