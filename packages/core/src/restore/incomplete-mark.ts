/**
 * Lies in a directory while it is being restored: written first, removed last. Without
 * `global/pg_control`, which is placed right before that, no server starts in it anyway; this says
 * why, and which tablespace directories belong to it.
 */
export const INCOMPLETE_MARK = 'tsbk_restore_incomplete';

/** The mark's text. */
export function incompleteMarkText(backup: string, tablespaces: readonly string[]): string {
  const lines = [
    `Restore of ${backup} by tsbk: not complete. Do not start a server here.`,
    'If no tsbk is running, remove this directory and these tablespace directories:',
    ...tablespaces,
  ];
  return `${lines.join('\n')}\n`;
}
