const LINGER_MS = 2000;

/**
 * Sets the exit code and lets the process end by itself, so that output is flushed. A connection
 * that somebody forgot would keep it alive for ever: the timer, which keeps nothing alive itself,
 * then ends it.
 */
export function leaveWith(exitCode: number): void {
  process.exitCode = exitCode;
  setTimeout(() => leaveNow(exitCode), LINGER_MS).unref();
}

/**
 * The same for a command whose launcher takes any death for "try again" (`tryAgainExit` is its code for
 * that): there the process is killed if it lingers, because `process.exit` waits for calls to a file
 * system that hangs, and PostgreSQL would wait with it.
 */
export function leaveLauncher(exitCode: number, tryAgainExit: number): void {
  if (exitCode !== tryAgainExit) return leaveWith(exitCode);
  process.exitCode = exitCode;
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), LINGER_MS).unref();
}

/** Ends the process here and now. For an entry point's last resorts only. */
export function leaveNow(exitCode: number): never {
  process.exit(exitCode);
}
