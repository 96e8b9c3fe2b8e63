import { posix } from 'node:path';
import { TsbkError } from '../kernel/errors.ts';
import type { TablespaceSpec } from '../repository/tablespace-spec.ts';

/** A tablespace and where it goes. */
export interface PlannedTablespace {
  readonly oid: string;
  /** Where it was on the server; `undefined` for one that only the mapping knows. */
  readonly original: string | undefined;
  /** Where it will be: absolute. */
  readonly location: string;
}

/** Where a tablespace shall go instead of where it was. */
export interface TablespaceMapping {
  /** Its OID, or its directory on the server. */
  readonly from: string;
  readonly to: string;
}

/**
 * Reads `OID=DIR` or `OLDDIR=NEWDIR`; `\=` is an equals sign of a directory, as pg_basebackup has
 * it. Throws `usage`.
 */
export function parseTablespaceMapping(text: string): TablespaceMapping {
  const parts = text.split(/(?<!\\)=/).map((part) => part.replaceAll(String.raw`\=`, '='));
  const [from = '', to = ''] = parts;
  const isDirectory = (path: string): boolean => path.startsWith('/') && !path.includes('\0');
  if (parts.length === 2 && (/^\d+$/.test(from) || isDirectory(from)) && isDirectory(to)) {
    return { from: normalized(from), to: normalized(to) };
  }
  throw new TsbkError('usage', `${JSON.stringify(text)} is no tablespace mapping`, {
    hint: 'Write OLDDIR=NEWDIR or OID=NEWDIR with absolute paths; an = in a path is written \\=.',
  });
}

/** The mapping that a WAL-G `--restore-spec` document asks for. */
export function mappingOfSpec(spec: TablespaceSpec): readonly TablespaceMapping[] {
  return spec.tablespaces.map(({ oid, location }) => ({ from: oid, to: normalized(location) }));
}

/**
 * Where each tablespace of a backup goes: where the mapping says, else where it was; one that lay
 * inside the data directory stays inside. A mapping by OID may also name a tablespace that the
 * records lack. Throws `usage` for a mapping that fits none and for two that fit one,
 * `unsafe-name` for a recorded location that is none.
 */
export function planTablespaces(
  spec: TablespaceSpec | undefined,
  mapping: readonly TablespaceMapping[],
  destination: string,
): PlannedTablespace[] {
  const entries = spec?.tablespaces ?? [];
  const used = new Set<TablespaceMapping>();
  const planned = entries.map(({ oid, location }): PlannedTablespace => {
    const original = normalized(location);
    const [to, another] = mapping.filter(({ from }) => from === oid || from === original);
    if (another !== undefined) {
      throw new TsbkError('usage', `tablespace ${oid} (${original}) is mapped more than once`);
    }
    if (to !== undefined) {
      used.add(to);
      return { oid, original, location: to.to };
    }
    requireLocation(oid, original);
    const inside = insideOf(spec?.basePrefix ?? '', original);
    return {
      oid,
      original,
      location: inside === undefined ? original : posix.join(destination, inside),
    };
  });
  for (const extra of mapping.filter((entry) => !used.has(entry))) {
    if (!/^\d+$/.test(extra.from)) throw noSuchTablespace(extra, entries);
    planned.push({ oid: extra.from, original: undefined, location: extra.to });
  }
  return planned;
}

/** Without a mapping the record is obeyed, so it must be a place where a tablespace can be. */
function requireLocation(oid: string, path: string): void {
  if (path.startsWith('/') && path !== '/' && !path.includes('\0')) return;
  throw new TsbkError(
    'unsafe-name',
    `the backup says that tablespace ${oid} is at ${JSON.stringify(path)}`,
    { hint: `No tablespace can be there. Map it: --tablespace-mapping ${oid}=DIR.` },
  );
}

/** Path below `base`, if `path` is there. */
function insideOf(base: string, path: string): string | undefined {
  if (!base.startsWith('/') || base === '/') return undefined;
  const root = `${normalized(base)}/`;
  return path.startsWith(root) ? path.slice(root.length) : undefined;
}

function normalized(path: string): string {
  if (!path.startsWith('/')) return path;
  return posix.normalize(path).replace(/(?<=.)\/+$/, '');
}

function noSuchTablespace(
  { from }: TablespaceMapping,
  entries: TablespaceSpec['tablespaces'],
): TsbkError {
  const known = entries.map(({ oid, location }) => `${oid} at ${location}`).join(', ');
  return new TsbkError('usage', `the backup has no tablespace at ${from}`, {
    hint: known === '' ? 'It has no tablespaces at all.' : `Its tablespaces are: ${known}.`,
  });
}
