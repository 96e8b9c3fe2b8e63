/** The objects of a finished backup, byte by byte: what WAL-G must find to restore it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openBackupSite, type BackupSite, type PushedBackup } from './support/backup-site.ts';
import { treeOf } from './support/file-tree.ts';
import { giveToServerUser, scratchPath } from './support/postgres.ts';
import { provenWhole } from './support/proven-whole.ts';
import { readTar, type TarEntry } from './support/read-tar.ts';

/** Folders whose content a restored server makes anew; they must be there all the same. */
const EMPTY_FOLDERS = [
  '/pg_wal',
  '/pg_wal/archive_status',
  '/pg_replslot',
  '/pg_dynshmem',
  '/pg_notify',
  '/pg_serial',
  '/pg_snapshots',
  '/pg_stat_tmp',
  '/pg_subtrans',
];

const MIB = 1024 ** 2;

for (const version of [13, 18] as const) {
  describe(`a backup of ${version}`, () => {
    const place = `${scratchPath('space')} ä\\b`;
    let site: BackupSite;
    let backup: PushedBackup;
    let folder: string;
    let oid: string;
    let parts: ReadonlyMap<string, readonly TarEntry[]>;
    let entries: readonly TarEntry[];

    before(async () => {
      mkdirSync(place);
      giveToServerUser(place);
      site = await openBackupSite({ version, tsbkEnv: { WALG_COMPRESSION_METHOD: 'none' } });
      const { server } = site;
      await server.query(`create tablespace aside location '${place}'`);
      await server.query('create table t tablespace aside as select generate_series(1, 9999)');
      const [row] = await server.query<{ oid: string }>(
        "select oid::text from pg_tablespace where spcname = 'aside'",
      );
      oid = row?.oid ?? '';
      backup = await site.push([], { env: { TSBK_TAR_SIZE_THRESHOLD: '4MiB' } });
      folder = join(site.root, 'basebackups_005', backup.name);
      const names = readdirSync(join(folder, 'tar_partitions')).filter((tar) =>
        tar.startsWith('part_'),
      );
      parts = new Map(names.sort().map((name) => [name, tar(name)]));
      entries = [...parts.values()].flat();
    });
    after(async () => site.server.close());

    const tar = (name: string): TarEntry[] => readTar(join(folder, 'tar_partitions', name));
    const record = (path: string): Record<string, unknown> =>
      JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;

    it('has the objects of its kind and no other', async () => {
      const kept = treeOf(join(site.root, 'basebackups_005')).filter(({ kind }) => kind === 'file');
      const paths = kept.map(({ path }) => path).sort();
      const tars = paths.filter((path) => /\/part_\d{3}\.tar$/.test(path));
      assert.ok(tars.length >= 4 && tars.length === backup.parts);
      const { name } = backup;
      assert.deepEqual(
        paths.filter((path) => !tars.includes(path)),
        [
          `${name}/backup_manifest`,
          `${name}/files_metadata.json`,
          `${name}/metadata.json`,
          `${name}/tar_partitions/backup_label.tar`,
          `${name}/tar_partitions/pg_control.tar`,
          `${name}/tsbk.json`,
          `${name}_backup_stop_sentinel.json`,
        ],
      );
      await provenWhole(site.root, name);
    });

    it('has parts without a gap, none larger than asked but for a single file', () => {
      const numbers = [...parts.keys()].map((_, index) => String(index + 1).padStart(3, '0'));
      assert.deepEqual(
        [...parts.keys()],
        numbers.map((number) => `part_${number}.tar`),
      );
      for (const members of parts.values()) {
        const sizes = members.map(({ content }) => content.length).filter((size) => size > 0);
        const bytes = sizes.reduce((sum, size) => sum + size, 0);
        assert.ok(bytes <= 4 * MIB || sizes.length === 1, `${bytes} bytes`);
      }
    });

    it('names members as WAL-G does, each once', () => {
      const names = entries.map(({ name }) => name);
      assert.equal(new Set(names).size, names.length);
      for (const { name, type } of entries) {
        assert.match(name, /^\/$|^\/.*[^/]$/);
        assert.ok(type === '0' || type === '5', `${name} is a ${type}`);
      }
      for (const path of ['/', '/base', '/global', '/pg_tblspc', ...EMPTY_FOLDERS]) {
        const found = entries.filter(({ name }) => name === path);
        assert.deepEqual(
          found.map(({ type, mode }) => [type, mode & 0o7777]),
          [['5', 0o700]],
          path,
        );
      }
      const inside = entries.filter(({ name }) =>
        EMPTY_FOLDERS.some((path) => name.startsWith(`${path}/`)),
      );
      assert.deepEqual(
        inside.filter(({ type }) => type !== '5'),
        [],
      );
      const apart = ['global/pg_control', 'backup_label', 'tablespace_map', 'postmaster.pid'];
      assert.deepEqual(
        names.filter((name) => apart.includes(name.replace(/^\//, ''))),
        [],
      );
      assert.ok(names.some((name) => name.startsWith(`/pg_tblspc/${oid}/PG_${version}_`)));
    });

    it('has pg_control and the label files in tars of their own', () => {
      const controls = tar('pg_control.tar').map(({ name, content }) => [name, content.length]);
      assert.deepEqual(controls, [['/global/pg_control', 8192]]);
      const labels = tar('backup_label.tar');
      assert.deepEqual(
        labels.map((entry) => [entry.name, entry.type, entry.mode, entry.uid, entry.gid]),
        ['backup_label', 'tablespace_map'].map((name) => [name, '0', 0o600, 0, 0]),
      );
      assert.ok(labels.every(({ modified }) => modified === 0));
      const [label, map] = labels.map(({ content }) => content.toString('utf8'));
      const segment = backup.name.replace('base_', '');
      const first = `START WAL LOCATION: ${backup.startLsn} (file ${segment})\n`;
      assert.ok(label?.startsWith(first), label);
      // Older servers escape line ends only.
      const escaped = version >= 14 ? place.replaceAll('\\', '\\\\') : place;
      assert.equal(map, `${oid} ${escaped}\n`);
    });

    it('names every member in files_metadata.json, and every tar but that of pg_control', () => {
      const document = record(join(folder, 'files_metadata.json'));
      const { Files, TarFileSets, DatabasesByNames, ...rest } = document;
      assert.deepEqual(Object.keys(DatabasesByNames ?? {}).toSorted(), ['postgres', 'template1']);
      assert.deepEqual(rest, {});
      const files = entries.map(({ name, modified }) => [
        name,
        {
          IsIncremented: false,
          IsSkipped: false,
          MTime: new Date(modified * 1000).toISOString().replace('.000Z', 'Z'),
          UpdatesCount: 0,
        },
      ]);
      assert.deepEqual(Files, Object.fromEntries(files));
      const sets = [...parts].map(([part, members]) => [part, members.map(({ name }) => name)]);
      assert.deepEqual(TarFileSets, {
        ...Object.fromEntries(sets),
        'backup_label.tar': ['tablespace_map', 'backup_label'],
      });
    });

    it('has the sentinel and the metadata that WAL-G reads, keys in its order', async () => {
      const text = readFileSync(`${folder}_backup_stop_sentinel.json`, 'utf8');
      assert.ok(!text.includes('\n'));
      const sentinel = JSON.parse(text) as Record<string, unknown>;
      const tars = [...parts.keys(), 'pg_control.tar', 'backup_label.tar'];
      const payload = tars.flatMap(tar).reduce((sum, { content }) => sum + content.length, 0);
      const sizes = tars.map((name) => statSync(join(folder, 'tar_partitions', name)).size);
      const stored = sizes.reduce((sum, size) => sum + size, 0);
      const [row] = await site.server.query<Record<string, string>>(`
        select system_identifier::text as id, current_setting('server_version_num') as version,
          ('${backup.startLsn}'::pg_lsn - '0/0')::text as start,
          ('${backup.stopLsn}'::pg_lsn - '0/0')::text as stop
        from pg_control_system()`);
      // Numbers that JavaScript would round.
      const metadata = readFileSync(join(folder, 'metadata.json'), 'utf8');
      assert.ok(text.includes(`"SystemIdentifier":${row?.['id']},`), text);
      assert.ok(metadata.includes(`"system_identifier":${row?.['id']},`), metadata);
      const number = (name: string): number => Number(row?.[name]);
      const { StartTime, FinishTime } = sentinel;
      for (const time of [StartTime, FinishTime]) {
        assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$/);
      }
      assert.deepEqual(Object.entries(sentinel), [
        ['LSN', number('start')],
        ['PgVersion', number('version')],
        ['FinishLSN', number('stop')],
        ['SystemIdentifier', number('id')],
        ['UncompressedSize', payload],
        ['CompressedSize', stored],
        ['DataCatalogSize', payload],
        [
          'Spec',
          {
            base_prefix: site.server.dataDir,
            tablespaces: [oid],
            [oid]: { loc: place, link: `pg_tblspc/${oid}` },
          },
        ],
        ['ChkpNum', null],
        ['Version', 2],
        ['StartTime', StartTime],
        ['FinishTime', FinishTime],
        ['DateFmt', '%Y-%m-%dT%H:%M:%S.%fZ'],
        ['Hostname', hostname()],
        ['DataDir', site.server.dataDir],
        ['IsPermanent', false],
        // Ours, which WAL-G ignores.
        ['TsbkCipher', 'none'],
      ]);
      assert.deepEqual(Object.entries(JSON.parse(metadata) as object), [
        ['start_time', StartTime],
        ['finish_time', FinishTime],
        ['date_fmt', '%Y-%m-%dT%H:%M:%S.%fZ'],
        ['hostname', hostname()],
        ['data_dir', site.server.dataDir],
        ['pg_version', number('version')],
        ['start_lsn', number('start')],
        ['finish_lsn', number('stop')],
        ['is_permanent', false],
        ['system_identifier', number('id')],
        ['uncompressed_size', payload],
        ['compressed_size', stored],
      ]);
    });

    it('has the server’s manifest, which fits the members', () => {
      const text = readFileSync(join(folder, 'backup_manifest'), 'utf8');
      const body = text.slice(0, text.lastIndexOf('"Manifest-Checksum"'));
      const manifest = JSON.parse(text) as {
        readonly 'Manifest-Checksum': string;
        readonly Files: readonly { readonly Path: string; readonly Size: number }[];
      };
      const hash = createHash('sha256').update(body).digest('hex');
      assert.equal(manifest['Manifest-Checksum'], hash);
      const tars = [...entries, ...tar('pg_control.tar'), ...tar('backup_label.tar')];
      const sizes = tars
        .filter(({ type }) => type === '0')
        .map(({ name, content }) => `${name.replace(/^\//, '')} ${content.length}`);
      assert.deepEqual(
        manifest.Files.map(({ Path, Size }) => `${Path} ${Size}`).sort(),
        sizes.sort(),
      );
    });
  });
}
