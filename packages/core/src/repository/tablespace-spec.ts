import { TsbkError } from '../kernel/errors.ts';
import { stringifyJson, type JsonValue } from '../format/json.ts';
import { asObject, optionalField, optionalString } from '../format/json-fields.ts';

/** WAL-G's record of tablespaces (`Spec` in the sentinel, also its `--restore-spec` file). */
export interface TablespaceSpec {
  /** The data directory on the server. */
  readonly basePrefix: string;
  readonly tablespaces: readonly TablespaceEntry[];
}

export interface TablespaceEntry {
  /** Name of the link in `pg_tblspc`: the tablespace's OID in decimal. */
  readonly oid: string;
  /** Directory the link points to. */
  readonly location: string;
}

/** Reads a spec. Throws `record-invalid`, naming `what`. */
export function parseSpec(value: JsonValue, what: string): TablespaceSpec {
  const o = asObject(value, what);
  const names = optionalField(o, 'tablespaces') ?? [];
  if (!Array.isArray(names)) throw invalid(what, 'tablespaces is not a list');
  return {
    basePrefix: optionalString(o, 'base_prefix', what) ?? '',
    tablespaces: names.map((name: JsonValue) => {
      if (typeof name !== 'string' || !/^\d+$/.test(name)) {
        throw invalid(what, `a tablespace is named ${stringifyJson(name)}`);
      }
      const entry = asObject(optionalField(o, name) ?? null, `${what}, tablespace ${name}`);
      const location = optionalString(entry, 'loc', what);
      if (location === undefined) throw invalid(what, `tablespace ${name} has no location`);
      return { oid: name, location };
    }),
  };
}

/** WAL-G's form: one flat object, keys sorted. */
export function formatSpec(spec: TablespaceSpec): JsonValue {
  const entries = spec.tablespaces.map(({ oid, location }): [string, JsonValue] => [
    oid,
    { link: `pg_tblspc/${oid}`, loc: location },
  ]);
  entries.push(['base_prefix', spec.basePrefix.replace(/(?<=.)\/+$/, '')]);
  entries.push(['tablespaces', spec.tablespaces.map(({ oid }) => oid)]);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function invalid(what: string, problem: string): TsbkError {
  return new TsbkError('record-invalid', `${what}: ${problem}`);
}
