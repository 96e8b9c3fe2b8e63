import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts processor time in hundredths of a second towards programs, whatever the kernel's own tick. */
const MS_PER_TICK = 10;

/** Memory of several processes together. */
export interface Memory {
  /** Proportional set size: a page that n processes share counts 1/n for each. */
  readonly pssBytes: number;
  /** Resident set size: a shared page counts fully for each. */
  readonly rssBytes: number;
}

/** The process and everything it started that still runs, parents first; empty when it is gone. */
export function treeOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(treeOf)];
}

/** Children that still run. Any thread of a process may have started one. */
export function childrenOf(pid: number): number[] {
  const children: number[] = [];
  for (const thread of tryTo(() => readdirSync(`/proc/${pid}/task`)) ?? []) {
    const text = tryTo(() => readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1'));
    for (const child of (text ?? '').split(' ')) if (child !== '') children.push(Number(child));
  }
  return children;
}

/**
 * Processor time in milliseconds that a tree of processes has used since it began, its ended and
 * awaited members included: a difference of two readings is what was used between them.
 */
export function cpuMsOfTree(pid: number): number {
  return treeOf(pid).reduce((sum, each) => sum + cpuMsOf(each), 0);
}

/**
 * Bytes that a tree of processes has read since it began, by any call and from wherever, its ended and
 * awaited members included. 0 of processes that may not be looked at.
 */
export function readBytesOfTree(pid: number): number {
  return treeOf(pid).reduce((sum, each) => sum + readBytesOf(each), 0);
}

/** Processor time in milliseconds that this machine has spent on anything, the kernel's own work included. */
export function cpuMsOfMachine(): number {
  const [line = ''] = readFileSync('/proc/stat', 'latin1').split('\n');
  // proc_stat(5): cpu user nice system idle iowait irq softirq steal
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq) * MS_PER_TICK;
}

/** Memory of these processes now. Those that have gone count nothing. */
export function memoryOf(pids: readonly number[]): Memory {
  let pssBytes = 0;
  let rssBytes = 0;
  for (const pid of pids) {
    const text = tryTo(() => readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'));
    if (text === undefined) continue;
    pssBytes += kibibytes(text, 'Pss') * 1024;
    rssBytes += kibibytes(text, 'Rss') * 1024;
  }
  return { pssBytes, rssBytes };
}

/** proc_pid_stat(5): the name may hold blanks and brackets, so fields are counted from its end. */
function cpuMsOf(pid: number): number {
  const text = tryTo(() => readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? '';
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  // utime, stime, and those of awaited children
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * MS_PER_TICK, 0);
}

/** proc_pid_io(5): what read calls gave, page cache or not. */
function readBytesOf(pid: number): number {
  const text = tryTo(() => readFileSync(`/proc/${pid}/io`, 'latin1')) ?? '';
  return Number(/^rchar: (\d+)$/m.exec(text)?.[1] ?? 0);
}

function kibibytes(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
}

/** A process may end between two looks at it. */
function tryTo<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
