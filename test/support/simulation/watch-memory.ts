/** How much memory this process takes over time. */
export interface MemoryWatch {
  take(): TakenMemory;
  stop(): void;
}

export interface TakenMemory {
  /** The most since the last call. */
  readonly rssBytes: number;
  /** What JavaScript holds now; known where Node.js runs with `--expose-gc`. */
  readonly heapBytes: number | undefined;
}

const EVERY_MS = 50;

export function watchMemory(): MemoryWatch {
  let most = 0;
  const look = (): void => {
    most = Math.max(most, process.memoryUsage.rss());
  };
  const timer = setInterval(look, EVERY_MS);
  timer.unref();
  return {
    take: () => {
      look();
      const rssBytes = most;
      most = 0;
      return { rssBytes, heapBytes: heapBytes() };
    },
    stop: () => clearInterval(timer),
  };
}

function heapBytes(): number | undefined {
  if (globalThis.gc === undefined) return undefined;
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}
