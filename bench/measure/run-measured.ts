import { spawn, type ChildProcess } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { serverUser } from '@tsbk/test/support/postgres';
import { childrenOf, cpuMsOfTree, memoryOf, readBytesOfTree, treeOf } from './process-tree.ts';

const SAMPLE_MS = 50;

/** What is run, with the whole of its environment but the search path. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** What a command cost. */
export interface Usage {
  readonly wallMs: number;
  /** User and system time of the command and of everything it started and waited for. */
  readonly cpuMs: number;
  /** Processor time of the PostgreSQL server meanwhile, its `archive_command` included. */
  readonly serverCpuMs: number;
  /** Processor time of the S3 server meanwhile; 0 for a directory. */
  readonly storeCpuMs: number;
  /** Bytes that the command and what it waited for have read, from files and connections alike. */
  readonly readBytes?: number;
  /** The same of the PostgreSQL server meanwhile. */
  readonly serverReadBytes?: number;
  /** Largest proportional set size of the tree that was seen. */
  readonly peakPssBytes: number;
  /** Largest sum of resident set sizes of the tree that was seen. */
  readonly peakRssBytes: number;
}

export interface Surroundings {
  readonly serverPid?: number | undefined;
  readonly storePid?: number | undefined;
  /** A process beside the command; its processor time and memory count as the command's. */
  readonly servicePid?: number | undefined;
  readonly timeoutMs: number;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) killGroup(child);
});

/**
 * Runs a command as the server's user and measures it. The shell's `time` gives wall and processor
 * time from the kernel's account of awaited children; memory is sampled. Throws with the end of the
 * standard error when the command fails.
 */
export async function runMeasured(command: Command, around: Surroundings): Promise<Usage> {
  const serverBefore = cpuOf(around.serverPid);
  const storeBefore = cpuOf(around.storePid);
  const serviceBefore = cpuOf(around.servicePid);
  const readBefore = readBytesOf(around.serverPid);
  const child = spawn('/bin/bash', ['-c', TIMED, 'time', command.program, ...command.args], {
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: '/nonexistent', ...command.env },
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    // A group of its own, so that all of it can be ended.
    detached: true,
    ...serverUser(),
  });
  running.add(child);
  const sampler = sampleMemory(child.pid ?? 0, around.servicePid);
  const timeout = setTimeout(() => killGroup(child), around.timeoutMs);
  try {
    const [stderr, times, code] = await outcomeOf(child);
    const [realSeconds = NaN, user = NaN, system = NaN, readBytes = NaN] = times
      .trim()
      .split(/\s+/)
      .map(Number);
    if (code !== 0) throw new Error(`${command.program} exited with ${code}: ${tail(stderr)}`);
    return {
      wallMs: realSeconds * 1000,
      cpuMs: (user + system) * 1000 + cpuOf(around.servicePid) - serviceBefore,
      serverCpuMs: cpuOf(around.serverPid) - serverBefore,
      storeCpuMs: cpuOf(around.storePid) - storeBefore,
      readBytes,
      serverReadBytes: readBytesOf(around.serverPid) - readBefore,
      ...sampler.stop(),
    };
  } finally {
    sampler.stop();
    clearTimeout(timeout);
    running.delete(child);
  }
}

/**
 * Three numbers and what the shell and its children have read go to descriptor 3; the command keeps its
 * own standard error.
 */
const TIMED = [
  "TIMEFORMAT='%3R %3U %3S'; exec 4>&2",
  '{ time "$@" 2>&4 3>&- 4>&-; } 2>&3',
  'code=$?; read -r _ bytes < "/proc/$$/io"; echo "$bytes" >&3; exit "$code"',
].join('\n');

async function outcomeOf(child: ChildProcess): Promise<[string, string, number | string]> {
  const [, , stderr, times] = child.stdio;
  if (!stderr || !times || !('read' in stderr) || !('read' in times)) throw new Error('no pipes');
  const ended = new Promise<number | string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'nothing'));
  });
  return await Promise.all([text(stderr), text(times), ended]);
}

function sampleMemory(shellPid: number, servicePid: number | undefined) {
  let peakPssBytes = 0;
  let peakRssBytes = 0;
  const timer = setInterval(() => {
    // Without the shell that keeps the time.
    const own = childrenOf(shellPid).flatMap(treeOf);
    const beside = servicePid === undefined ? [] : treeOf(servicePid);
    const { pssBytes, rssBytes } = memoryOf([...own, ...beside]);
    peakPssBytes = Math.max(peakPssBytes, pssBytes);
    peakRssBytes = Math.max(peakRssBytes, rssBytes);
  }, SAMPLE_MS);
  return {
    stop: () => {
      clearInterval(timer);
      return { peakPssBytes, peakRssBytes };
    },
  };
}

function cpuOf(pid: number | undefined): number {
  return pid === undefined ? 0 : cpuMsOfTree(pid);
}

function readBytesOf(pid: number | undefined): number {
  return pid === undefined ? 0 : readBytesOfTree(pid);
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

function tail(output: string): string {
  return output.trimEnd().slice(-1500);
}
