import { compareKeys } from '../../kernel/object-key.ts';
import type { CallOptions } from '../../ports/blob-store.ts';
import { exchange } from './exchange.ts';
import type { S3Target } from './target.ts';
import { documentOf } from './wire/answer.ts';
import { childrenOf, textIn, type XmlElement } from './wire/xml.ts';

export interface ListQuery {
  readonly prefix: string;
  /** Group what is in folders. */
  readonly delimiter: boolean;
  /** Only keys after this one. */
  readonly after: string | undefined;
  /** At most so many; the service's default if absent. */
  readonly most?: number | undefined;
}

export interface ListEntry {
  readonly key: string;
  readonly bytes: number | undefined;
  readonly etag: string | undefined;
  readonly modified: string | undefined;
}

export interface ListPage {
  readonly entries: readonly ListEntry[];
  /** Full prefixes, each with its slash. */
  readonly folders: readonly string[];
  /** What to ask the next page with; absent on the last one. */
  readonly next: string | undefined;
  /** Whether the service has more, by its own word. */
  readonly isTruncated: boolean;
}

/** Asks for one page: the first, or the one that `next` of the page before leads to. */
export function listPage(
  target: S3Target,
  query: ListQuery,
  next: string | undefined,
  options: CallOptions,
): Promise<ListPage> {
  const ask = target.options.useListObjectsV1 === true ? pageV1 : pageV2;
  return exchange(
    target,
    { what: `cannot list ${target.url}`, signal: options.signal },
    (abortSignal) => ask(target, { ...query, next }, abortSignal),
  );
}

interface PageQuery extends ListQuery {
  readonly next: string | undefined;
}

async function pageV2(
  target: S3Target,
  query: PageQuery,
  abortSignal: AbortSignal,
): Promise<ListPage> {
  const asked = {
    ...common(target, query),
    'list-type': '2',
    'continuation-token': query.next,
    'start-after': query.after,
  };
  const root = await listing(target, asked, abortSignal);
  const page = toPage(root);
  return { ...page, next: page.isTruncated ? textIn(root, 'NextContinuationToken') : undefined };
}

async function pageV1(
  target: S3Target,
  query: PageQuery,
  abortSignal: AbortSignal,
): Promise<ListPage> {
  const asked = { ...common(target, query), marker: query.next ?? query.after };
  const root = await listing(target, asked, abortSignal);
  const page = toPage(root);
  if (!page.isTruncated) return page;
  const given = textIn(root, 'NextMarker');
  const names = [...page.folders, ...page.entries.map((entry) => entry.key)];
  // Without a delimiter the marker need not be given: it is the last name.
  const next = given
    ? decode(given, textIn(root, 'EncodingType'))
    : names.toSorted(compareKeys).at(-1);
  return { ...page, next };
}

async function listing(
  { client }: S3Target,
  query: Readonly<Record<string, string | undefined>>,
  abortSignal: AbortSignal,
): Promise<XmlElement> {
  const answer = await client.send({ method: 'GET', query }, { abortSignal });
  return documentOf(answer, 'ListBucketResult');
}

function common({ options }: S3Target, { prefix, delimiter, most }: ListQuery) {
  const keysMax = most ?? options.listPageKeys;
  return {
    prefix,
    // XML cannot hold every character that a key can.
    'encoding-type': 'url',
    delimiter: delimiter ? '/' : undefined,
    'max-keys': keysMax === undefined ? undefined : `${keysMax}`,
  };
}

function toPage(root: XmlElement): ListPage {
  const encoding = textIn(root, 'EncodingType');
  return {
    entries: childrenOf(root, 'Contents').map((entry) => ({
      key: decode(textIn(entry, 'Key') ?? '', encoding),
      bytes: numberOf(textIn(entry, 'Size')),
      etag: textIn(entry, 'ETag'),
      modified: textIn(entry, 'LastModified'),
    })),
    folders: childrenOf(root, 'CommonPrefixes').map((folder) =>
      decode(textIn(folder, 'Prefix') ?? '', encoding),
    ),
    next: undefined,
    isTruncated: textIn(root, 'IsTruncated') === 'true',
  };
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** Some services do not encode, whatever they are asked: then they do not say `url` either. */
function decode(text: string, encoding: string | undefined): string {
  return encoding === 'url' ? decodeURIComponent(text.replaceAll('+', ' ')) : text;
}
