import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from './rules.ts';

/** Never answered: the connection is gone, or will stay open for ever. */
export const NO_ANSWER = Symbol('no answer');

const TICK_MS = 20;

/** Reads a request's body, as the fault wants it. */
export async function takeBody(
  message: IncomingMessage,
  fault: Fault | undefined,
): Promise<Buffer | typeof NO_ANSWER> {
  const announced = Number(message.headers['content-length'] ?? 0);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of message) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    if (fault?.kind === 'half-request' && bytes * 2 >= announced) {
      message.socket.resetAndDestroy();
      return NO_ANSWER;
    }
    if (fault?.kind === 'slow-intake') {
      const ms = (TICK_MS * (chunk as Buffer).length) / fault.bytesPerTick;
      await sleep(ms, undefined, { ref: false });
    }
  }
  return Buffer.concat(chunks);
}
