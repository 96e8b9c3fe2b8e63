import { accept, reject, type Kind } from './kinds.ts';

/** A directory: `/var/backups`, `file:///var/backups` or WAL-G's `file://localhost/var/backups`. */
export const directoryPrefix: Kind<string> = {
  name: 'absolute path or file: URL',
  parse: (text) => {
    const path = text.replace(/^file:(?:\/\/(?:localhost)?)?(?=\/(?!\/))/, '');
    return path.startsWith('/') ? accept(path) : reject('an absolute path such as /var/backups');
  },
  format: (value) => value,
};

/** Bucket and folder, normalised to `s3://bucket/folder`. WAL-G accepts any scheme here. */
export const bucketPrefix: Kind<string> = {
  name: 's3: URL',
  parse: (text) => {
    const match = /^[a-z][a-z0-9+.-]*:\/\/([^/?#@\s]+)(\/[^?#]*)?$/i.exec(text);
    if (match?.[1] === undefined) return reject('a URL such as s3://bucket/folder');
    const folder = (match[2] ?? '').replaceAll(/^\/+|\/+$/g, '');
    return accept(folder === '' ? `s3://${match[1]}` : `s3://${match[1]}/${folder}`);
  },
  format: (value) => value,
};

/** `host[:port]` or an http(s) URL, given back as a URL; https unless said otherwise. */
export const endpoint: Kind<string> = {
  name: 'URL',
  parse: (text) => {
    const expected = 'a host or URL such as https://s3.example.org:9000';
    const candidate = text.includes('://') ? text : `https://${text}`;
    if (!URL.canParse(candidate)) return reject(expected);
    const url = new URL(candidate);
    const plain =
      /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' && !url.search;
    return plain ? accept(url.href.replace(/\/$/, '')) : reject(expected);
  },
  format: (value) => value,
};

/** A path inside the repository: no empty, `.` or `..` component, no slash at either end. */
export const subPath: Kind<string> = {
  name: 'relative path',
  parse: (text) => {
    const path = text.replaceAll(/^\/+|\/+$/g, '');
    const safe = path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
    return safe ? accept(path) : reject('a path such as team/main, without .. in it');
  },
  format: (value) => value,
};

/** Extra request headers: a JSON object, or a YAML map or list of maps with one header a line. */
export const headers: Kind<Readonly<Record<string, string>>> = {
  name: 'JSON object or `Name: value` lines',
  parse: (text) => {
    const entries = text.trimStart().startsWith('{') ? fromJson(text) : fromLines(text);
    const valid = entries?.every(
      ([name, value]) => /^[\w!#$%&'*+.^`|~-]+$/.test(name) && /^[\t\x20-\x7e]*$/.test(value),
    );
    return entries !== undefined && valid === true
      ? accept(Object.fromEntries(entries))
      : reject('a JSON object such as {"X-Team":"dba"}, or lines of the form Name: value');
  },
  format: (value) => JSON.stringify(value),
};

function fromJson(text: string): readonly (readonly [string, string])[] | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== 'object' || parsed === null) return undefined;
    return Object.entries(parsed).map(([name, value]) => [name, String(value)]);
  } catch {
    return undefined;
  }
}

function fromLines(text: string): readonly (readonly [string, string])[] | undefined {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const pairs = lines.map((line) => /^\s*(?:- )?\s*["']?([^:"'\s]+)["']?:\s*(.*?)\s*$/.exec(line));
  if (pairs.length === 0 || pairs.some((pair) => pair === null)) return undefined;
  return pairs.map((pair) => [pair?.[1] ?? '', unquote(pair?.[2] ?? '')]);
}

function unquote(text: string): string {
  return /^(["']).*\1$/.test(text) ? text.slice(1, -1) : text;
}
