import { formatDuration } from '@tsbk/core/kernel/duration';
import { formatSize } from '@tsbk/core/kernel/size';
import { describeError } from '@tsbk/core/engine/describe-error';
import type { LogEvent } from './event-json.ts';

/** An event for people, one line without its end. */
export function logText(event: LogEvent): string {
  switch (event.kind) {
    case 'phase':
      return event.text;
    case 'info':
      return event.text;
    case 'resources':
      return [
        `${event.lanes} ${event.lanes === 1 ? 'lane' : 'lanes'}, at most about ${formatSize(event.memoryBytes)} of memory`,
        ...limitText('network', event.networkBytesPerSecond),
        ...limitText('disk', event.diskBytesPerSecond),
      ].join(', ');
    case 'warning':
      return `warning: ${event.text} [${event.code}]`;
    case 'retry': {
      const wait = formatDuration(event.waitMs);
      return `${event.what}: ${event.error}; trying again in ${wait} (attempt ${event.attempt + 1})`;
    }
  }
}

function limitText(what: string, bytesPerSecond: number | undefined): string[] {
  return bytesPerSecond === undefined ? [] : [`${what} limited to ${formatSize(bytesPerSecond)}/s`];
}

/** An error for people: what happened, what to do next, and the code that the documentation lists. */
export function errorText(error: unknown): string {
  const [first = '', ...more] = describeError(error);
  return [`tsbk: ${first}`, ...more].map((line) => `${line}\n`).join('');
}
