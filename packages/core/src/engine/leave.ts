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

/** Ends the process here and now. For an entry point's last resorts only. */
export function leaveNow(exitCode: number): never {
  process.exit(exitCode);
}
