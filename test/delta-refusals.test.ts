/** What servers say when they make no incremental backup. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it, test } from 'node:test';
import { formatManifest } from '@tsbk/core/format/format-manifest';
import type { ManifestFile, ManifestWalRange } from '@tsbk/core/format/manifest';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import { toInstant } from '@tsbk/core/kernel/instant';
import { toLsn } from '@tsbk/core/kernel/lsn';
import { toSystemId, type SystemId } from '@tsbk/core/kernel/system-id';
import type { ByteSource } from '@tsbk/core/ports/bytes';
import { identifySystem } from '@tsbk/core/postgres/identify-system';
import { refusalReasonOf } from '@tsbk/core/postgres/incremental-refusal';
import { protocolSource } from '@tsbk/core/postgres/protocol-source';
import { openReplicationSession } from '@tsbk/core/postgres/replication-session';
import { sourceOf } from '@tsbk/core/stream/source';
import { connectionOf, startPostgres, type Server } from './support/postgres.ts';

const FOREVER = new AbortController().signal;
const FILE: ManifestFile = {
  path: 'base/5/1259',
  bytes: 8192,
  modified: toInstant(0n),
  checksumAlgorithm: 'CRC32C',
  checksum: '00000000',
};

/** With these no other source may build on the parent. */
const OF_THE_PARENT = new Set([
  'manifest-version',
  'other-cluster',
  'other-timeline',
  'no-progress',
  'manifest-invalid',
]);

interface Made {
  readonly systemId: SystemId | undefined;
  readonly range?: Partial<ManifestWalRange>;
}

/** A manifest of a backup that never was. */
function manifest({ systemId, range = {} }: Made): ByteSource {
  const startLsn = toLsn(0x100_0028n);
  const walRanges = [{ timeline: 1, startLsn, endLsn: toLsn(0x100_0100n), ...range }];
  return formatManifest({ files: [FILE], systemId, walRanges });
}

/** Asks for an incremental backup, and says why there is none. */
async function refusalOf(server: Server, sinceManifest: ByteSource): Promise<string> {
  const source = protocolSource(await connectionOf(server), () => undefined);
  const request = { label: 'x', checkpoint: 'fast', verifyChecksums: true, sinceManifest } as const;
  try {
    await using _ = await source.open(request, { signal: FOREVER });
    return 'none';
  } catch (error) {
    assert.ok(isTsbkError(error), String(error));
    assert.ok(error.hint !== undefined && error.hint.length > 10);
    const reason = refusalReasonOf(error.cause) ?? error.message;
    assert.equal(error.code, OF_THE_PARENT.has(reason) ? 'parent-refused' : 'delta-refused');
    return reason;
  }
}

async function systemIdOf(server: Server): Promise<SystemId> {
  await using session = await openReplicationSession(await connectionOf(server), {
    signal: FOREVER,
  });
  return (await identifySystem(session)).systemId;
}

for (const version of [17, 18] as const) {
  describe(`a server of ${version} that refuses`, () => {
    let server: Server;
    let systemId: SystemId;
    before(async () => {
      server = await startPostgres({ version });
      systemId = await systemIdOf(server);
    });
    after(() => server.close());

    it('is understood while it summarizes no WAL', async () => {
      assert.equal(await refusalOf(server, manifest({ systemId })), 'summaries-off');
    });

    it('is understood when the manifest is not one it can build on', async () => {
      const other = toSystemId('7710781881545605755');
      assert.equal(await refusalOf(server, manifest({ systemId: other })), 'other-cluster');
      assert.equal(await refusalOf(server, manifest({ systemId: undefined })), 'manifest-version');
      const damaged = async function* (): ByteSource {
        for await (const chunk of manifest({ systemId })) {
          yield Buffer.from(Buffer.from(chunk).toString().replace('1259', '1258'));
        }
      };
      assert.equal(await refusalOf(server, damaged()), 'manifest-invalid');
      assert.equal(await refusalOf(server, sourceOf(Buffer.from('{}\n'))), 'manifest-invalid');
    });

    it('is heard while the manifest is still being sent', async () => {
      let sent = 0;
      const endless = async function* (): ByteSource {
        for (; sent < 4000; sent += 1) yield Buffer.alloc(64 * 1024, '!');
      };
      assert.equal(await refusalOf(server, endless()), 'manifest-invalid');
      assert.ok(sent < 4000, 'all of it was sent');
    });

    it('lets what is wrong with the manifest through as it is', async () => {
      const failing = async function* (): ByteSource {
        yield Buffer.from('{ "PostgreSQL-Backup-Manifest-Version": 2,\n');
        throw new RangeError('it ends here');
      };
      const source = protocolSource(await connectionOf(server), () => undefined);
      const open = source.open(
        { label: 'x', checkpoint: 'fast', verifyChecksums: true, sinceManifest: failing() },
        { signal: FOREVER },
      );
      await assert.rejects(open, RangeError);
    });

    it('is understood when timelines or positions do not fit', async () => {
      await server.query("alter system set summarize_wal = 'on'");
      await server.query('select pg_reload_conf()');
      await server.query('checkpoint');
      const on = (range: Partial<ManifestWalRange>): Promise<string> =>
        refusalOf(server, manifest({ systemId, range }));
      assert.equal(await on({ timeline: 7 }), 'other-timeline');
      assert.equal(await on({ endLsn: toLsn(0xff_0000_0000n) }), 'no-progress');
    });
  });
}

test('a server before 17 is not asked', async () => {
  await using server = await startPostgres({ version: 16 });
  const systemId = await systemIdOf(server);
  assert.match(await refusalOf(server, manifest({ systemId })), /16 makes no incremental/);
});

/** So that a change of the manifest's frame does not make these tests mean something else. */
test('the manifests of these tests are whole', async () => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of manifest({ systemId: undefined })) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  const [body = '', last] = text.split('"Manifest-Checksum": ');
  const sum = createHash('sha256').update(body).digest('hex');
  assert.equal(last, `"${sum}"}\n`);
});
