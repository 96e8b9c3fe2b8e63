/** Bytes that must come within the time, unless that is the end: less is a standstill. */
const BYTES_MIN = 64 * 1024;

export interface ProgressWatch {
  /** Waits for something; the time spent here counts. */
  during<T>(wait: () => Promise<T>): Promise<T>;
  /** Tells that so many bytes have come. */
  made(bytes: number): void;
}

/**
 * Calls `onStandstill` when less than 64 KiB have come in `timeoutMs` of *waiting*. The time that
 * the consumer needs between two waits is its own affair and does not count.
 */
export function progressWatch(timeoutMs: number, onStandstill: () => void): ProgressWatch {
  let leftMs = timeoutMs;
  let bytes = 0;
  return {
    during: async (wait) => {
      const began = performance.now();
      const timer = setTimeout(onStandstill, Math.max(0, leftMs));
      try {
        return await wait();
      } finally {
        clearTimeout(timer);
        leftMs -= performance.now() - began;
      }
    },
    made: (count) => {
      bytes += count;
      if (bytes < BYTES_MIN) return;
      bytes = 0;
      leftMs = timeoutMs;
    },
  };
}
