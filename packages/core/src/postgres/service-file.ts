import { TsbkError } from '../kernel/errors.ts';

/** What a service sets, by libpq's parameter names (`host`, `dbname`, `sslmode`). */
export type ServiceParameters = Readonly<Record<string, string>>;

/**
 * Finds a section of a connection service file (PostgreSQL docs, "The Connection Service File").
 * The first section of that name counts; in it the first value of a name. `undefined` if the file
 * has no such section. Throws `usage` for a line that is neither blank, comment nor `name=value`.
 */
export function parseServiceFile(
  text: string,
  { service, path }: { readonly service: string; readonly path: string },
): ServiceParameters | undefined {
  const found: Record<string, string> = {};
  let state: 'before' | 'inside' = 'before';
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    if (trimmed.startsWith('[')) {
      if (state === 'inside') return found;
      if (trimmed === `[${service}]`) state = 'inside';
    } else if (state === 'inside') {
      const [name, value] = parameterOf(trimmed, `${path}:${index + 1}`);
      found[name] ??= value;
    }
  }
  return state === 'inside' ? found : undefined;
}

function parameterOf(line: string, where: string): [name: string, value: string] {
  const equals = line.indexOf('=');
  const name = line.slice(0, Math.max(equals, 0)).trimEnd();
  if (name === '' || name.startsWith('ldap')) {
    throw new TsbkError('usage', `${where}: not a line of the form name=value`, {
      hint: 'Correct the connection service file. Lookups by LDAP are not supported.',
    });
  }
  return [name, line.slice(equals + 1).trimStart()];
}
