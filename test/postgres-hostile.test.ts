import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { ErrorCode } from '@tsbk/core/kernel/error-codes';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import { collect } from '@tsbk/core/stream/collect';
import { identifySystem } from '@tsbk/core/postgres/identify-system';
import { protocolSource } from '@tsbk/core/postgres/protocol-source';
import { openReplicationSession } from '@tsbk/core/postgres/replication-session';
import { openSqlSession } from '@tsbk/core/postgres/sql-session';
import {
  message,
  notice,
  parameter,
  READY,
  result,
  startFakeWalsender,
  type FakeOptions,
} from './support/fake-walsender.ts';
import { connectionOf } from './support/postgres.ts';

const FOREVER = new AbortController().signal;
const START = result('SELECT', ['0/2000028', '1']);
const SPACES = result('SELECT', [null, null, '10']);
const END = result('SELECT', ['0/2000100', '1']);
const DONE = message('C', 'BASE_BACKUP\0');
const EMPTY_TAR = Buffer.alloc(1024);
const COPY_OUT = message('H', '\0\0\0');
const ARCHIVES = Buffer.concat([
  COPY_OUT,
  message('d', 'nbase.tar\0\0'),
  message('d', 'd', EMPTY_TAR),
  message('d', 'm'),
  message('d', 'd{}'),
  message('c'),
]);
const WHOLE = Buffer.concat([START, SPACES, ARCHIVES, END, DONE, READY]);

/** What JavaScript holds: nothing that waits to be collected, which is as much as the collector likes. */
function heldBytes(): number {
  setFlagsFromString('--expose-gc');
  const collectNow = runInNewContext('gc') as () => void;
  collectNow();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

describe('a backup from a server that is none', () => {
  it('succeeds with the shortest answer that is one', async () => {
    assert.equal(await backupOf({ answer: () => [WHOLE] }), '{}');
  });

  it('succeeds whatever notes come between, one byte at a time', async () => {
    const note = Buffer.concat([
      notice('N', 'NOTICE', '00000', 'waiting'),
      parameter('TimeZone', 'UTC'),
      message('A', '\0\0\0\0x\0y\0'),
    ]);
    const parts = [
      START,
      SPACES,
      COPY_OUT,
      message('d', 'nbase.tar\0\0'),
      message('d', 'p12345678'),
      message('d', 'd', EMPTY_TAR),
      message('d', 'm'),
      message('d', 'd{'),
      message('d', 'd}'),
      message('c'),
      END,
      DONE,
      READY,
    ];
    const answer = parts.flatMap((part) => [note, part]);
    assert.equal(await backupOf({ answer: () => answer, chunkBytes: 1 }), '{}');
  });

  const copy = (...messages: readonly Buffer[]): Buffer =>
    Buffer.concat([START, SPACES, COPY_OUT, ...messages]);
  const base = message('d', 'nbase.tar\0\0');

  it('is left in time when it goes on after an error, which counts', async () => {
    const failure = notice('E', 'ERROR', '42501', 'permission denied');
    const silent = { stayOpen: true, answer: () => [failure] };
    const chatty = {
      answer: () => endless([copy(base), failure], notice('N', 'NOTICE', '00000', 'x')),
    };
    const isTheError = (error: unknown): boolean => isTsbkError(error, 'server-denied');
    const runs = [silent, chatty].map((options) => assert.rejects(backupOf(options), isTheError));
    await Promise.all(runs);
  });

  const refusals: readonly (readonly [string, ErrorCode, Buffer])[] = [
    [
      'ends the stream before the last word',
      'connection-lost',
      Buffer.concat([START, SPACES, ARCHIVES, END]),
    ],
    [
      'is ready without having completed the command',
      'protocol-violation',
      Buffer.concat([START, SPACES, ARCHIVES, END, READY]),
    ],
    [
      'gives no position at the end',
      'protocol-violation',
      Buffer.concat([START, SPACES, ARCHIVES, message('C', 'SELECT\0'), DONE, READY]),
    ],
    [
      'reports wrong checksums after the end position',
      'page-checksum',
      Buffer.concat([
        START,
        SPACES,
        ARCHIVES,
        END,
        notice('E', 'ERROR', 'XX001', 'checksum verification failure during base backup'),
        READY,
      ]),
    ],
    [
      'was promoted, in another language',
      'server-promoted',
      Buffer.concat([
        parameter('in_hot_standby', 'on'),
        copy(base),
        notice('E', 'ERROR', '55000', 'befördert'),
        parameter('in_hot_standby', 'off'),
        READY,
      ]),
    ],
    [
      'replays WAL without full pages',
      'server-error',
      Buffer.concat([
        copy(base),
        notice('E', 'ERROR', '55000', 'WAL generated with full_page_writes=off'),
        READY,
      ]),
    ],
    [
      'is told to stop in mid-stream',
      'connection-lost',
      Buffer.concat([
        copy(base),
        notice('E', 'FATAL', '57P01', 'terminating connection due to administrator command'),
      ]),
    ],
    [
      'refuses the command',
      'server-denied',
      Buffer.concat([notice('E', 'ERROR', '42501', 'permission denied'), READY]),
    ],
    [
      'starts at no position',
      'protocol-violation',
      Buffer.concat([result('SELECT', ['x', '1']), SPACES]),
    ],
    [
      'starts on timeline zero',
      'protocol-violation',
      Buffer.concat([result('SELECT', ['0/1', '0']), SPACES]),
    ],
    [
      'has a tablespace that is no number',
      'protocol-violation',
      Buffer.concat([START, result('SELECT', ['../x', '/ts', '1'], [null, null, '1'])]),
    ],
    [
      'announces a message of two gigabytes',
      'protocol-violation',
      copy(Buffer.from('d\x7f\xff\xff\xff', 'latin1')),
    ],
    [
      'announces a message of negative length',
      'protocol-violation',
      copy(Buffer.from('d\xff\xff\xff\xff', 'latin1')),
    ],
    [
      'names an archive that leads elsewhere',
      'protocol-violation',
      copy(message('d', 'n../../etc/passwd\0\0')),
    ],
    ['sends a message of an unknown type', 'protocol-violation', copy(message('?', 'x'))],
    [
      'sends a tar that is none',
      'tar-invalid',
      copy(base, message('d', 'd', Buffer.alloc(512, 'x'))),
    ],
    [
      'cuts a tar off',
      'tar-invalid',
      copy(base, message('d', 'd', EMPTY_TAR.subarray(0, 512)), message('d', 'm')),
    ],
    [
      'sends a member that leads elsewhere',
      'unsafe-name',
      copy(base, message('d', 'd', tarHeader('../evil', '0'))),
    ],
    ['sends a device', 'tar-invalid', copy(base, message('d', 'd', tarHeader('dev', '3')))],
    [
      'sends no manifest',
      'protocol-violation',
      copy(base, message('d', 'd', EMPTY_TAR), message('c'), END, DONE, READY),
    ],
    ['speaks HTTP', 'protocol-violation', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ];
  for (const [what, code, answer] of refusals) {
    it(`fails with ${code} when the server ${what}`, async () => {
      await assert.rejects(
        async () => backupOf({ answer: () => [answer] }),
        (error) => isTsbkError(error, code),
      );
    });
  }

  it('does not fill memory with an endless stream of notices', async () => {
    const warning = notice('N', 'WARNING', '01000', 'w'.repeat(1000));
    let sent = 0;
    function* endless(): Iterable<Buffer> {
      yield START;
      yield SPACES;
      for (; sent < 200_000_000; sent += warning.length) yield warning;
      grown = heldBytes() - before;
      yield notice('E', 'ERROR', 'XX000', 'enough');
      yield READY;
    }
    const before = heldBytes();
    let grown = Infinity;
    await assert.rejects(
      async () => backupOf({ answer: endless }),
      (error) => isTsbkError(error, 'server-error'),
    );
    assert.ok(grown < 50 * 1024 * 1024, `${grown} bytes`);
  });

  it('reads no further than it is asked to', async () => {
    const data = message('d', 'd', Buffer.alloc(32 * 1024));
    function* endless(): Iterable<Buffer> {
      yield Buffer.concat([START, SPACES, COPY_OUT, base]);
      for (;;) yield data;
    }
    await using server = await startFakeWalsender({ answer: endless });
    const source = protocolSource(await connectionOf(server), () => undefined);
    await using backup = await source.open(REQUEST, { signal: FOREVER });
    assert.equal(backup.start.estimatedBytes, 10_240);
    let written = -1;
    // What the kernel's buffers take is bounded: the server comes to a halt.
    for (let same = 0; same < 5;) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      same = server.bytesWritten() === written ? same + 1 : 0;
      written = server.bytesWritten();
    }
    assert.ok(written < 64 * 1024 * 1024);
  });
});

describe('a session with a server that is none', () => {
  it('is refused when the server is too old', async () => {
    await using server = await startFakeWalsender({ serverVersion: '12.22' });
    const settings = await connectionOf(server);
    for (const open of [openReplicationSession, openSqlSession]) {
      await assert.rejects(
        async () => open(settings, { signal: FOREVER }),
        (error) => isTsbkError(error, 'server-unsupported') && error.message.includes('12.22'),
      );
    }
  });

  it('is given up when the server accepts and then says nothing', async () => {
    await using server = await startFakeWalsender({ onConnect: () => undefined });
    for (const sslmode of ['disable', 'prefer']) {
      const settings = await connectionOf(server, { PGCONNECT_TIMEOUT: '1', PGSSLMODE: sslmode });
      await assert.rejects(
        async () => openReplicationSession(settings, { signal: FOREVER }),
        (error) => isTsbkError(error, 'server-unreachable') && error.message.includes('within 1 s'),
      );
    }
  });

  it('is refused when bytes follow the answer to the question for TLS', async () => {
    await using server = await startFakeWalsender({
      onConnect: (socket) => socket.once('data', () => socket.write(Buffer.from('SE-injected'))),
    });
    const settings = await connectionOf(server, { PGSSLMODE: 'require' });
    await assert.rejects(
      async () => openReplicationSession(settings, { signal: FOREVER }),
      (error) => isTsbkError(error, 'server-tls'),
    );
  });

  it('is refused when the server closes at once', async () => {
    await using server = await startFakeWalsender({ onConnect: (socket) => void socket.end() });
    await assert.rejects(
      async () => openSqlSession(await connectionOf(server), { signal: FOREVER }),
      (error) => isTsbkError(error, 'server-unreachable'),
    );
  });

  for (const row of [
    ['12345678901234567890123', '1', '0/0'],
    ['1', '-1', '0/0'],
    ['1', '1', 'x'],
    [],
  ]) {
    it(`refuses an identity of ${JSON.stringify(row)}`, async () => {
      const answer = () => [result('IDENTIFY_SYSTEM', row), READY];
      await using server = await startFakeWalsender({ answer });
      await using session = await openReplicationSession(await connectionOf(server), {
        signal: FOREVER,
      });
      await assert.rejects(
        async () => identifySystem(session),
        (error) => isTsbkError(error, 'protocol-violation'),
      );
    });
  }
});

const REQUEST = { label: 'x', checkpoint: 'fast', verifyChecksums: true } as const;

/** Takes a whole backup from a fake server; gives the manifest's text. */
async function backupOf(options: FakeOptions): Promise<string> {
  await using server = await startFakeWalsender(options);
  const source = protocolSource(await connectionOf(server), () => undefined);
  await using backup = await source.open(REQUEST, { signal: FOREVER });
  let manifest = '';
  for await (const item of backup.items()) {
    if (item.kind !== 'manifest') continue;
    manifest = (await collect(item.body, { maxBytes: 1000, what: 'manifest' })).toString();
  }
  await backup.end();
  return manifest;
}

/** A header block of ustar for a member without a body. */
function tarHeader(name: string, typeflag: string): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0);
  block.write('0000600 \0', 100);
  for (const at of [108, 116]) block.write('0000000 ', at);
  for (const at of [124, 136]) block.write('00000000000 ', at);
  block.write(typeflag, 156);
  block.write('ustar\x0000', 257);
  block.write('        ', 148);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** `head`, and then `again` for ever. */
function* endless(head: readonly Buffer[], again: Buffer): Iterable<Buffer> {
  yield* head;
  for (;;) yield again;
}
