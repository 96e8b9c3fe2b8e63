import { TsbkError } from '../kernel/errors.ts';
import type { BlobStore, Upload } from '../ports/blob-store.ts';

const NAMES = [
  'stat',
  'get',
  'put',
  'upload',
  'part',
  'complete',
  'abort',
  'list',
  'folders',
  'unfinished',
  'remove',
] as const;

const ACTIONS = ['kill', 'term', 'throw', 'hang', 'exit'] as const;

/** A fault to inject: what happens at the `hit`-th call of an operation, counted from 1. */
export interface Failpoint {
  readonly name: (typeof NAMES)[number];
  /** After the operation has succeeded instead of before it begins. */
  readonly after: boolean;
  readonly hit: number;
  /**
   * `kill` and `term` send the signal to this process, `exit` ends it (in a worker: the thread)
   * with code 70, `throw` fails, `hang` waits for ever and hears no signal.
   */
  readonly action: (typeof ACTIONS)[number];
}

/** What a failpoint does to the process; given by whoever owns it. */
export interface FailpointEffects {
  readonly signal: (name: 'SIGKILL' | 'SIGTERM') => void;
  readonly exit: (code: number) => void;
  /** Calls of the operation so far, by all threads of the run. */
  readonly calls: Int32Array<SharedArrayBuffer>;
}

/** Reads `put:3:kill` or, for after the operation, `put-done:3:kill`. Throws `usage`. */
export function parseFailpoint(text: string): Failpoint {
  const match = /^([a-z]+)(-done)?:([1-9]\d{0,8}):([a-z]+)$/.exec(text);
  const name = NAMES.find((known) => known === match?.[1]);
  const action = ACTIONS.find((known) => known === match?.[4]);
  if (name === undefined || action === undefined) {
    throw new TsbkError('usage', `${text} is no failpoint`, {
      hint: `Write name:n:action with a name of ${NAMES.join(', ')}, each also with -done, and an action of ${ACTIONS.join(', ')}.`,
    });
  }
  return { name, after: match?.[2] !== undefined, hit: Number(match?.[3]), action };
}

/** `store` with one fault in it. For tests of what a crash or a failure leaves behind. */
export function withFailpoint(
  store: BlobStore,
  failpoint: Failpoint,
  effects: FailpointEffects,
): BlobStore {
  const around = passage(failpoint, effects);
  const aroundAll = async function* <T>(
    name: Failpoint['name'],
    items: () => AsyncIterable<T>,
  ): AsyncGenerator<T> {
    await around(name, async () => {});
    yield* items();
  };
  const aroundUpload = (upload: Upload): Upload => ({
    part: (part, call) => around('part', () => upload.part(part, call)),
    complete: (call) => around('complete', () => upload.complete(call)),
    abort: (call) => around('abort', () => upload.abort(call)),
  });
  return {
    url: store.url,
    limits: store.limits,
    stat: (key, call) => around('stat', () => store.stat(key, call)),
    confirm: (key, call) => around('stat', () => store.confirm(key, call)),
    get: (key, call) => around('get', () => store.get(key, call)),
    put: (key, bytes, call) => around('put', () => store.put(key, bytes, call)),
    upload: (key, call) =>
      around('upload', async () => aroundUpload(await store.upload(key, call))),
    list: (prefix, call) => aroundAll('list', () => store.list(prefix, call)),
    folders: (prefix, call) => aroundAll('folders', () => store.folders(prefix, call)),
    unfinished: (prefix, call) => aroundAll('unfinished', () => store.unfinished(prefix, call)),
    remove: (key, call) => around('remove', () => store.remove(key, call)),
    close: () => store.close(),
  };
}

type Passage = <T>(name: Failpoint['name'], operation: () => Promise<T>) => Promise<T>;

function passage({ name, after, hit, action }: Failpoint, effects: FailpointEffects): Passage {
  return async (called, operation) => {
    const isHit = called === name && Atomics.add(effects.calls, 0, 1) + 1 === hit;
    if (isHit && !after) await strike(name, action, effects);
    const result = await operation();
    if (isHit && after) await strike(name, action, effects);
    return result;
  };
}

async function strike(
  name: string,
  action: Failpoint['action'],
  effects: FailpointEffects,
): Promise<void> {
  switch (action) {
    case 'kill':
      effects.signal('SIGKILL');
      break;
    case 'term':
      effects.signal('SIGTERM');
      break;
    case 'exit':
      effects.exit(70);
      break;
    case 'throw':
      throw new TsbkError('store-failed', `the failpoint at ${name} was hit`);
    case 'hang':
      await new Promise(() => {});
  }
}
