import { extname } from 'node:path';
import { TsbkError } from '../kernel/errors.ts';

/**
 * The keys and values of a settings file, by its extension (`.json`, `.yaml`, `.yml`). YAML scalars
 * keep their spelling: a password `0123` must not become the number 123. Loads the YAML parser only
 * when it is needed. Throws `usage`.
 */
export async function parseSettingsText(
  text: string,
  path: string,
): Promise<Readonly<Record<string, unknown>>> {
  const extension = extname(path).toLowerCase();
  if (extension === '.json') return parseJson(text, path);
  if (extension === '.yaml' || extension === '.yml') return await parseYaml(text, path);
  throw new TsbkError('usage', `${path}: a settings file is .json, .yaml or .yml`, {
    hint: extension === '.toml' || extension === '.env' ? 'Write it as YAML.' : undefined,
  });
}

function parseJson(text: string, path: string): Readonly<Record<string, unknown>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text around the mistake, which may be a secret.
    throw new TsbkError('usage', `${path} is not valid JSON`);
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
    return { ...parsed };
  }
  throw new TsbkError('usage', `${path} must hold one JSON object`);
}

async function parseYaml(text: string, path: string): Promise<Readonly<Record<string, unknown>>> {
  const yaml = await import('yaml');
  const document = yaml.parseDocument(text, { prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) throw new TsbkError('usage', `${path} is not valid YAML: ${error.code}`);
  const { contents } = document;
  if (contents === null) return {};
  if (!yaml.isMap(contents)) throw new TsbkError('usage', `${path} must hold one YAML map`);
  const entries = contents.items.map(({ key, value }): [string, unknown] => [
    yaml.isScalar(key) ? sourceText(key) : String(key),
    yaml.isScalar(value)
      ? sourceText(value)
      : yaml.isNode(value)
        ? value.toJS(document)
        : undefined,
  ]);
  return Object.fromEntries(entries);
}

/** A scalar as it was written, without quotes; empty for null. */
function sourceText(scalar: { readonly value: unknown; readonly source?: string }): string {
  if (scalar.value === null) return '';
  return typeof scalar.value === 'string' ? scalar.value : (scalar.source ?? '');
}
