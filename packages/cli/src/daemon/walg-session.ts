import type { Socket } from 'node:net';
import { TsbkError } from '@tsbk/core/kernel/errors';
import type { WalService } from './wal-service.ts';
import { takeMessage, WALG_ANSWER, type WalgRequest } from './walg-messages.ts';

/** A client that has asked nothing for so long, or has sent half a message, is let go. */
const SILENCE_MS = 30_000;

interface SessionOptions {
  readonly service: Pick<WalService, 'push' | 'get'>;
  /** Hears of failures: the protocol has no words for them. */
  readonly failed: (what: string, error: unknown) => void;
}

/**
 * Speaks WAL-G's daemon protocol on a connection. After a check it goes on listening; a push or fetch
 * is answered and ends it, as does anything that cannot be understood.
 */
export function serveWalg(socket: Socket, options: SessionOptions): void {
  const gone = new AbortController();
  let bytes: Buffer = Buffer.alloc(0);
  let isLast = false;
  const finish = (answer: string): void => {
    isLast = true;
    socket.end(answer);
    // A client that does not close its side is not waited for.
    socket.setTimeout(1000, () => socket.destroy());
  };
  const take = (): void => {
    while (!isLast) {
      const taken = takeMessage(bytes);
      if (taken.kind === 'incomplete') return;
      if (taken.kind === 'invalid') return finish(WALG_ANSWER.error);
      bytes = taken.rest;
      if (taken.request.kind === 'check') {
        socket.write(WALG_ANSWER.ok);
        continue;
      }
      isLast = true;
      socket.setTimeout(0);
      void answer(taken.request, gone.signal, options).then(finish);
    }
  };
  socket.setTimeout(SILENCE_MS, () => socket.destroy());
  const leave = (): void => {
    gone.abort(new TsbkError('interrupted', 'the client went away before it had its answer'));
    socket.destroy();
  };
  socket.on('data', (chunk: Buffer) => {
    if (isLast) return;
    bytes = Buffer.concat([bytes, chunk]);
    take();
  });
  socket.once('end', leave);
  socket.once('close', leave);
}

async function answer(
  request: Exclude<WalgRequest, { kind: 'check' }>,
  signal: AbortSignal,
  { service, failed }: SessionOptions,
): Promise<string> {
  try {
    if (request.kind === 'push') {
      await service.push(request.path, signal);
      return WALG_ANSWER.ok;
    }
    const outcome = await service.get(request.name, request.destination, signal);
    return outcome === 'fetched' ? WALG_ANSWER.ok : WALG_ANSWER.absent;
  } catch (error) {
    const asked = request.kind === 'push' ? request.path : request.name;
    failed(`wal-${request.kind} ${JSON.stringify(asked)}`, error);
    return WALG_ANSWER.error;
  }
}
