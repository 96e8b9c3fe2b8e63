import type { ClusterDatabase, OwnedRelation } from '../ports/backup-server.ts';
import type { ConnectionSettings } from './connection-settings.ts';
import { openSqlSession, type SqlSession, type TextRow } from './sql-session.ts';

/** Rows that are fetched, and in memory, at once. */
const ROWS_AT_ONCE = 2000;
/** No lock is waited for longer: somebody may be rewriting `pg_class`. */
const LOCK_TIMEOUT_MS = 10_000;

/** The databases that the session's role may connect to, by their OID. */
export async function listDatabases(session: SqlSession): Promise<readonly ClusterDatabase[]> {
  const rows = await session.query<{ oid: string; name: string }>(`
    select oid::text, datname as name from pg_catalog.pg_database
    where datallowconn and datconnlimit <> -2
      and pg_catalog.has_database_privilege(oid, 'connect')
    order by pg_database.oid`);
  return rows.map(({ oid, name }) => ({ name, oid: Number(oid) }));
}

/**
 * `owned` pairs each relation with itself and each table of users with what it is no use without:
 * descendants in trees of inheritance or partitions, and of all of these TOAST tables, indexes and
 * sequences. Shared catalogs lie in `global`, temporary relations are in no backup.
 */
const RELATIONS = `
  with recursive family(owner, member) as (
    select inhparent, inhrelid from pg_catalog.pg_inherits
    union
    select f.owner, i.inhrelid
    from family f join pg_catalog.pg_inherits i on i.inhparent = f.member
  ), kin(owner, member) as (
    select owner, member from family
    union
    select oid, oid from pg_catalog.pg_class where relkind in ('r', 'p', 'm') and oid >= 16384
  ), owned(owner, member) as (
    select oid, oid from pg_catalog.pg_class
    union
    select owner, member from kin
    union
    select k.owner, c.reltoastrelid
    from kin k join pg_catalog.pg_class c on c.oid = k.member where c.reltoastrelid <> 0
    union
    select k.owner, i.indexrelid
    from kin k join pg_catalog.pg_index i on i.indrelid = k.member
    union
    select k.owner, i.indexrelid
    from kin k join pg_catalog.pg_class c on c.oid = k.member
      join pg_catalog.pg_index i on i.indrelid = c.reltoastrelid where c.reltoastrelid <> 0
    union
    select k.owner, d.objid
    from kin k join pg_catalog.pg_depend d
      on d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = k.member
      and d.classid = 'pg_catalog.pg_class'::regclass and d.deptype in ('a', 'i')
      join pg_catalog.pg_class s on s.oid = d.objid and s.relkind = 'S'
  ), relation as (
    select c.oid, n.nspname || '.' || c.relname as name,
      case c.relkind when 'p' then 0 else pg_catalog.pg_relation_filenode(c.oid) end as filenode
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where not c.relisshared and c.relpersistence <> 't'
      and c.relkind in ('r', 'p', 'm', 'i', 'S', 't')
  )
  select o.owner::text, r.oid::text, r.filenode::text, r.name
  from owned o join relation w on w.oid = o.owner and w.filenode is not null
    join relation r on r.oid = o.member and r.filenode is not null
  order by o.owner, o.owner <> o.member, r.oid`;

interface Row extends TextRow {
  readonly owner: string;
  readonly oid: string;
  readonly filenode: string;
  readonly name: string;
}

/**
 * The relations of one database in a session of their own, as `BackupServer.relations` promises.
 * They are read as of one moment, some thousands at a time. Throws what `openSqlSession` throws.
 */
export async function* listRelations(
  connection: ConnectionSettings,
  { name }: ClusterDatabase,
  { signal }: { readonly signal: AbortSignal },
): AsyncGenerator<OwnedRelation, void, undefined> {
  await using session = await openSqlSession({ ...connection, database: name }, { signal });
  await session.query(`set lock_timeout = ${LOCK_TIMEOUT_MS}`);
  await session.query('begin read only');
  await session.query(`declare relations no scroll cursor for ${RELATIONS}`);
  for (;;) {
    const rows = await session.query<Row>(`fetch ${ROWS_AT_ONCE} from relations`);
    for (const row of rows) yield relationOf(row);
    if (rows.length < ROWS_AT_ONCE) return;
  }
}

function relationOf({ owner, oid, filenode, name }: Row): OwnedRelation {
  return { owner: Number(owner), oid: Number(oid), filenode: Number(filenode), name };
}
