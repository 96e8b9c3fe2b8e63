import { TsbkError } from '../../kernel/errors.ts';

/** A database, or relations of one, by name. `*` stands for anything. */
export interface WantedName {
  /** As it was given, for messages. */
  readonly text: string;
  readonly database: string;
  /** `schema.name`; `undefined` for all of the database. */
  readonly relation: string | undefined;
}

const HINT =
  'Write database, database/table (in public), database/schema.table or database/schema/table.';

/**
 * Reads what `--restore-only` takes, with WAL-G's meaning: names between commas, where double quotes
 * keep a comma from parting and are left away. Throws `usage`.
 */
export function parseWantedNames(text: string): readonly WantedName[] {
  const words = [...text.matchAll(/(?:"[^"]*"|[^",])+/g)].map(([word]) => word.replaceAll('"', ''));
  if (words.length === 0) {
    throw new TsbkError('usage', '--restore-only names no database', { hint: HINT });
  }
  return words.map(wantedName);
}

function wantedName(text: string): WantedName {
  const [database = '', ...rest] = text.split('/');
  const [first = '', second] = rest;
  const isWrong = database === '' || rest.length > 2 || rest.includes('');
  if (isWrong || (second === undefined && first.split('.').length > 2)) {
    throw new TsbkError('usage', `--restore-only cannot understand ${JSON.stringify(text)}`, {
      hint: HINT,
    });
  }
  if (rest.length === 0) return { text, database, relation: undefined };
  if (second !== undefined) return { text, database, relation: `${first}.${second}` };
  return { text, database, relation: first.includes('.') ? first : `public.${first}` };
}

/** Whether a name is one that `pattern` stands for. */
export function matches(pattern: string, name: string): boolean {
  if (!pattern.includes('*')) return pattern === name;
  const parts = pattern.split('*').map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(name);
}
