import { formatInstant, type Instant } from '../kernel/instant.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { Spool } from '../stream/spool.ts';

/** One file of a backup, to be listed. */
export interface ListedFile {
  /** Exactly as in the tar. */
  readonly name: string;
  readonly modified: Instant;
  /**
   * `incremented`: the tar has an increment of it. `skipped`: no tar of this backup has it, its
   * content is the parent's. Neither: the tar has it whole.
   */
  readonly content?: 'incremented' | 'skipped' | undefined;
}

/** The names in one tar, in their order. A call begins when the one before has settled. */
export interface TarNames {
  add(name: string): Promise<void>;
  /** No more will come. */
  end(): Promise<void>;
  /** As they stand in the document: JSON texts with commas between them. */
  read(): ByteSource;
}

/**
 * What `files_metadata.json` will say of a backup, gathered while it is made. It lies in a spool as
 * the JSON it will become, so that a million files need no more memory than a thousand. Throws what
 * the spool throws.
 */
export interface FileList {
  readonly count: () => number;
  /** Adds a file. A call begins when the one before has settled. */
  add(file: ListedFile): Promise<void>;
  /** Begins the names of a tar; several may be open at once. */
  tar(): TarNames;
  /** The document. `tars`: basename with extension → its names; `databases`: members of an object. */
  document(
    tars: Iterable<readonly [string, Pick<TarNames, 'read'>]>,
    databases?: Iterable<Pick<TarNames, 'read'>>,
  ): ByteSource;
}

/** An empty list in `spool`, which must stay open until the document is read. */
export function fileList(spool: Spool): FileList {
  const files = spool.text();
  let count = 0;
  return {
    count: () => count,
    add: async ({ name, modified, content }) => {
      const comma = count === 0 ? '' : ',';
      count += 1;
      await files.append(
        `${comma}${JSON.stringify(name)}:{"IsIncremented":${content === 'incremented'},"IsSkipped":${content === 'skipped'},"MTime":"${formatInstant(modified)}","UpdatesCount":0}`,
      );
    },
    tar: () => tarNames(spool),
    document: async function* (tars, databases = []) {
      yield Buffer.from('{"Files":{');
      yield* files.read();
      yield Buffer.from('},"TarFileSets":{');
      let comma = '';
      for (const [tar, names] of tars) {
        yield Buffer.from(`${comma}${JSON.stringify(tar)}:[`);
        yield* names.read();
        yield Buffer.from(']');
        comma = ',';
      }
      yield Buffer.from('}');
      yield* databasesMember(databases);
      yield Buffer.from('}');
    },
  };
}

/** Nothing where there are none, as WAL-G has it. */
async function* databasesMember(databases: Iterable<Pick<TarNames, 'read'>>): ByteSource {
  let before = ',"DatabasesByNames":{';
  for (const database of databases) {
    yield Buffer.from(before);
    yield* database.read();
    before = ',';
  }
  if (before === ',') yield Buffer.from('}');
}

function tarNames(spool: Spool): TarNames {
  const names = spool.text();
  let comma = '';
  return {
    add: async (name) => {
      await names.append(comma + JSON.stringify(name));
      comma = ',';
    },
    end: () => names.end(),
    read: () => names.read(),
  };
}
