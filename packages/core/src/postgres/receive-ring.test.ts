import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sampleBytes } from '../stream/sample-bytes.ts';
import { ReceiveRing } from './receive-ring.ts';

const MIB = 1024 ** 2;

/** Both ends of a connection, the near one read by a ring. */
async function connected(): Promise<
  AsyncDisposable & { readonly ring: ReceiveRing; readonly far: Socket; readonly near: Socket }
> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const ring = new ReceiveRing();
  const { port } = server.address() as AddressInfo;
  const near = connect({ host: '127.0.0.1', port, onread: ring.onread });
  ring.attach(near);
  const [far] = (await once(server, 'connection')) as [Socket];
  far.on('error', () => undefined);
  return {
    ring,
    far,
    near,
    [Symbol.asyncDispose]: async () => {
      near.destroy();
      far.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

describe('a receive ring', () => {
  it('gives every byte in order, to quick readers and to slow ones', async () => {
    await using at = await connected();
    const sent = sampleBytes('noise', 8 * MIB);
    at.far.end(sent);
    const parts: Buffer[] = [];
    for (let reads = 1; ; reads += 1) {
      const lent = await at.ring.next();
      if (lent === undefined) break;
      parts.push(Buffer.from(lent));
      if (reads % 7 === 0) await sleep(2);
    }
    assert.ok(Buffer.concat(parts).equals(sent));
    assert.equal(await at.ring.next(), undefined);
  });

  it('holds the sender back while nobody reads, and does not change what it has lent', async () => {
    await using at = await connected();
    const sent = sampleBytes('noise', 64 * MIB);
    at.far.write(sent.subarray(0, 100));
    const lent = await at.ring.next();
    at.far.write(sent.subarray(100));
    await sleep(300);
    assert.ok(at.near.bytesRead < 2 * MIB, `${at.near.bytesRead} bytes were read`);
    assert.ok(lent !== undefined && lent.equals(sent.subarray(0, 100)));
    for (let bytes = lent.length; bytes < sent.length;)
      bytes += (await at.ring.next())?.length ?? 0;
    assert.equal(at.near.bytesRead, sent.length);
  });

  it('tells of a connection that breaks, after what had arrived', async () => {
    await using at = await connected();
    at.far.write('last words');
    assert.equal((await at.ring.next())?.toString(), 'last words');
    const next = at.ring.next();
    at.far.resetAndDestroy();
    await assert.rejects(next, /ECONNRESET/);
  });
});
