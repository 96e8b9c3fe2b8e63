import { ListObjectsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { compareKeys } from '../../kernel/object-key.ts';
import type { CallOptions } from '../../ports/blob-store.ts';
import { exchange } from './exchange.ts';
import type { S3Target } from './target.ts';

export interface ListQuery {
  readonly prefix: string;
  /** Group what is in folders. */
  readonly delimiter: boolean;
  /** Only keys after this one. */
  readonly after: string | undefined;
}

export interface ListEntry {
  readonly key: string;
  readonly bytes: number | undefined;
  readonly ETag: string | undefined;
  readonly LastModified: Date | undefined;
}

export interface ListPage {
  readonly entries: readonly ListEntry[];
  /** Full prefixes, each with its slash. */
  readonly folders: readonly string[];
  /** What to ask the next page with; absent on the last one. */
  readonly next: string | undefined;
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
  const command = new ListObjectsV2Command({
    ...common(target, query),
    ...(query.next === undefined ? {} : { ContinuationToken: query.next }),
    ...(query.after === undefined ? {} : { StartAfter: query.after }),
  });
  const output = await target.client.send(command, { abortSignal });
  const page = toPage(output);
  return { ...page, next: output.IsTruncated === true ? output.NextContinuationToken : undefined };
}

async function pageV1(
  target: S3Target,
  query: PageQuery,
  abortSignal: AbortSignal,
): Promise<ListPage> {
  const marker = query.next ?? query.after;
  const command = new ListObjectsCommand({
    ...common(target, query),
    ...(marker === undefined ? {} : { Marker: marker }),
  });
  const output = await target.client.send(command, { abortSignal });
  const page = toPage(output);
  if (output.IsTruncated !== true) return page;
  const given = output.NextMarker;
  const names = [...page.folders, ...page.entries.map((entry) => entry.key)];
  // Without a delimiter the marker need not be given: it is the last name.
  const next = given ? decode(given, output.EncodingType) : names.toSorted(compareKeys).at(-1);
  return { ...page, next };
}

function common(
  target: S3Target,
  query: ListQuery,
): {
  readonly Bucket: string;
  readonly Prefix: string;
  readonly EncodingType: 'url';
  readonly Delimiter?: string;
  readonly MaxKeys?: number;
} {
  const { listPageKeys } = target.options;
  return {
    Bucket: target.bucket,
    Prefix: query.prefix,
    // XML cannot hold every character that a key can.
    EncodingType: 'url',
    ...(query.delimiter ? { Delimiter: '/' } : {}),
    ...(listPageKeys === undefined ? {} : { MaxKeys: listPageKeys }),
  };
}

interface Output {
  readonly EncodingType?: string | undefined;
  readonly Contents?:
    | readonly {
        readonly Key?: string | undefined;
        readonly Size?: number | undefined;
        readonly ETag?: string | undefined;
        readonly LastModified?: Date | undefined;
      }[]
    | undefined;
  readonly CommonPrefixes?: readonly { readonly Prefix?: string | undefined }[] | undefined;
}

function toPage({ EncodingType, Contents = [], CommonPrefixes = [] }: Output): ListPage {
  return {
    entries: Contents.map(({ Key = '', Size, ETag, LastModified }) => ({
      key: decode(Key, EncodingType),
      bytes: Size,
      ETag,
      LastModified,
    })),
    folders: CommonPrefixes.map(({ Prefix = '' }) => decode(Prefix, EncodingType)),
    next: undefined,
  };
}

/** Some services do not encode, whatever they are asked: then they do not say `url` either. */
function decode(text: string, encoding: string | undefined): string {
  return encoding === 'url' ? decodeURIComponent(text.replaceAll('+', ' ')) : text;
}
