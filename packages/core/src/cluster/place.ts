import { constants, fchmodSync, openSync, writeSync } from 'node:fs';
import { chmod, lstat, mkdir, symlink } from 'node:fs/promises';
import { systemErrorCode, TsbkError } from '../kernel/errors.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import type { ByteSource } from '../ports/bytes.ts';
import type { MadeTree, TreePlace } from '../ports/extract.ts';
import { mapParallel } from '../stream/parallel.ts';
import { syncDirectory, syncLater, type LateSync } from './late-sync.ts';
import { locate, TABLESPACE_PATH } from './locate.ts';
import { overwriteFile } from './overwrite-file.ts';
import { PageFile } from './page-file.ts';
import { parentPath, pathBytes, printable, TREE_ROOT } from '../format/tree-path.ts';
import { writeFailed } from './write-failed.ts';

export interface PlaceOptions extends TreePlace {
  readonly signal: AbortSignal;
}

/**
 * Puts files and directories of a backup in their places, and nothing anywhere else. Several may
 * fill one tree, in threads of their own: each file is made by exactly one of them.
 */
export interface Placer {
  /** Makes a directory; its mode is set by `finish`, so that it may forbid writing. */
  directory(path: TreePath, mode: number): Promise<void>;
  /** The same for a directory that must be there even if the backup has no entry for it. */
  ensure(path: TreePath, mode: number): Promise<void>;
  /**
   * Makes a file and its parents. `false`, and nothing read or written, if there is something at
   * its path: another copy of the file from the same backup, or what is not of it at all.
   */
  file(path: TreePath, mode: number, body: ByteSource): Promise<boolean>;
  /**
   * Gives a file that was there before the directory was taken over this content and mode, page by
   * page. Gives the bytes written. Whoever calls it has made sure that the file has one name only.
   */
  replace(path: TreePath, mode: number, body: ByteSource): Promise<number>;
  /**
   * Makes a file of `bytes` zeros, of which the disk holds none, to be filled page by page.
   * `undefined`, and nothing done, if there is something at its path.
   */
  pages(path: TreePath, mode: number, bytes: number): Promise<PageFile | undefined>;
  /** Opens a file again that `pages` has made, of this placer or another one of the same tree. */
  reopen(path: TreePath): PageFile;
  /** Remembers a link for `finish`: nothing is ever written through it. */
  link(path: TreePath, target: string): void;
  /** Resolves when the files are on the disk; their directories are not yet. */
  flush(): Promise<void>;
  /** What this one has made beside files, and remembers, for the one that finishes the tree. */
  made(): MadeTree;
  /** Takes over what another one has made. */
  adopt(made: MadeTree): void;
  /** Makes the links, sets the modes of directories and flushes everything. */
  finish(): Promise<void>;
  /** Waits until nothing is under way any more, whatever became of it. */
  abandon(): Promise<void>;
}

/** Until the file is complete, whatever the backup says. */
const NEW_FILE_MODE = 0o600;
const SYNCS_AT_ONCE = 16;
const EXCLUSIVE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const OVERWRITE = constants.O_RDWR | constants.O_NOFOLLOW;

/**
 * Makes a placer. Everything but what `replace` is called for is created, never opened: whatever else
 * is where a directory should be, a link to one too, throws `restore-failed`. Modes are those of the backup without set-id bits.
 */
export function createPlacer(options: PlaceOptions): Placer {
  return new TreePlacer(options);
}

class TreePlacer implements Placer {
  readonly #options: PlaceOptions;
  readonly #late: LateSync;
  /** Every directory of the tree, once asked for; the promise is its making. */
  readonly #directories = new Map<TreePath, Promise<void>>();
  readonly #modes = new Map<TreePath, number>();
  readonly #links = new Map<TreePath, string>();

  constructor(options: PlaceOptions) {
    this.#options = options;
    this.#late = syncLater({ enabled: options.fsync, atOnce: SYNCS_AT_ONCE });
    this.#directories.set(TREE_ROOT, Promise.resolve());
  }

  async directory(path: TreePath, mode: number): Promise<void> {
    await this.#require(path);
    this.#modes.set(path, mode & 0o777);
  }

  async ensure(path: TreePath, mode: number): Promise<void> {
    if (!this.#modes.has(path)) await this.directory(path, mode);
  }

  async file(path: TreePath, mode: number, body: ByteSource): Promise<boolean> {
    await this.#require(parentPath(path));
    const fd = this.#create(path);
    if (fd === undefined) return false;
    await this.#fill(path, fd, async () => {
      await this.#writeAll(path, fd, body);
      if ((mode & 0o777) !== NEW_FILE_MODE) fchmodSync(fd, mode & 0o777);
    });
    return true;
  }

  async replace(path: TreePath, mode: number, body: ByteSource): Promise<number> {
    const fd = this.#open(path, OVERWRITE);
    return await this.#fill(path, fd, async () => {
      const name = this.#name(path);
      const onWritten = (bytes: number): void => this.#late.wrote(fd, bytes, name);
      const written = await overwriteFile(fd, body, { signal: this.#options.signal, onWritten });
      fchmodSync(fd, mode & 0o777);
      return written;
    });
  }

  async pages(path: TreePath, mode: number, bytes: number): Promise<PageFile | undefined> {
    await this.#require(parentPath(path));
    const fd = this.#create(path);
    if (fd === undefined) return undefined;
    const file = new PageFile(fd, { name: this.#name(path), late: this.#late });
    file.shape(mode & 0o777, bytes);
    return file;
  }

  reopen(path: TreePath): PageFile {
    const fd = this.#open(path, constants.O_WRONLY | constants.O_NOFOLLOW);
    return new PageFile(fd, { name: this.#name(path), late: this.#late });
  }

  link(path: TreePath, target: string): void {
    this.#links.set(path, target);
  }

  flush(): Promise<void> {
    return this.#late.settled();
  }

  made(): MadeTree {
    const directories = [...this.#directories.keys()].filter((path) => path !== TREE_ROOT);
    return {
      directories: directories.map((path) => [path, this.#modes.get(path)]),
      links: [...this.#links],
    };
  }

  adopt({ directories, links }: MadeTree): void {
    for (const [path, mode] of directories) {
      this.#directories.set(path, Promise.resolve());
      if (mode !== undefined) this.#modes.set(path, mode);
    }
    for (const [path, target] of links) this.#links.set(path, target);
  }

  async finish(): Promise<void> {
    const { signal } = this.#options;
    for (const [path, target] of this.#links) {
      await this.#require(parentPath(path));
      // Not `#at`: the link of a tablespace lies here, its files do not.
      const at = pathBytes(this.#options.root, path);
      await this.#try(path, () => symlink(target, at));
    }
    await this.#late.settled();
    const width = { width: SYNCS_AT_ONCE, signal };
    // Children first: a directory may forbid what its children need.
    const modes = [...this.#modes].sort(([a], [b]) => b.length - a.length);
    for (const [path, mode] of modes) await this.#try(path, (at) => chmod(at, mode));
    if (!this.#options.fsync) return;
    await mapParallel([...this.#directories.keys()], width, (path) =>
      this.#try(path, (at) => syncDirectory(at)),
    );
  }

  async abandon(): Promise<void> {
    await Promise.allSettled([...this.#directories.values(), this.#late.settled()]);
  }

  /** Makes a directory and its parents, each once. */
  #require(path: TreePath): Promise<void> {
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const making = this.#isElsewhere(path) ? this.#require(parentPath(path)) : this.#make(path);
    this.#directories.set(path, making);
    return making;
  }

  async #make(path: TreePath): Promise<void> {
    await this.#require(parentPath(path));
    await this.#try(path, async (at) => {
      try {
        await mkdir(at, 0o700);
      } catch (error) {
        if (systemErrorCode(error) !== 'EEXIST' || !(await lstat(at)).isDirectory()) throw error;
      }
    });
  }

  /** A file descriptor; `undefined` if the path is taken. */
  #create(path: TreePath): number | undefined {
    try {
      return openSync(this.#at(path), EXCLUSIVE, NEW_FILE_MODE);
    } catch (error) {
      if (systemErrorCode(error) === 'EEXIST') return undefined;
      throw writeFailed(this.#name(path), error);
    }
  }

  /** A file descriptor of a file that is there; never through a link. */
  #open(path: TreePath, flags: number): number {
    try {
      return openSync(this.#at(path), flags);
    } catch (error) {
      throw writeFailed(this.#name(path), error);
    }
  }

  /** Has the file filled, and flushes and closes it. */
  async #fill<T>(path: TreePath, fd: number, work: () => Promise<T>): Promise<T> {
    let result: T;
    try {
      result = await work();
    } catch (error) {
      this.#late.drop(fd, this.#name(path));
      if (error instanceof TsbkError || this.#options.signal.aborted) throw error;
      throw isSystemError(error) ? writeFailed(this.#name(path), error) : error;
    }
    await this.#late.close(fd, this.#name(path));
    return result;
  }

  /**
   * Writes the body as it comes, by blocking calls: what they wait for is room in memory, and a
   * promise for each of many small writes costs several times the write.
   */
  async #writeAll(path: TreePath, fd: number, body: ByteSource): Promise<void> {
    const name = this.#name(path);
    for await (const chunk of body) {
      this.#options.signal.throwIfAborted();
      for (let at = 0; at < chunk.length;) at += writeSync(fd, chunk, at);
      this.#late.wrote(fd, chunk.length, name);
    }
  }

  async #try<T>(path: TreePath, work: (at: Buffer) => Promise<T>): Promise<T> {
    try {
      return await work(this.#at(path));
    } catch (error) {
      throw writeFailed(this.#name(path), error);
    }
  }

  /** Whether the directory is not made here: a tablespace, or `pg_wal` where it is a link. */
  #isElsewhere(path: TreePath): boolean {
    if (path === 'pg_wal' && this.#options.walLocation !== undefined) return true;
    const match = TABLESPACE_PATH.exec(path);
    return match !== null && path === match[0] && this.#options.tablespaces.has(match[1] ?? '');
  }

  #at(path: TreePath): Buffer {
    return locate(this.#options, path);
  }

  #name(path: TreePath): string {
    return `${this.#options.root}/${printable(path)}`;
  }
}

function isSystemError(error: unknown): boolean {
  return systemErrorCode(error) !== undefined;
}
