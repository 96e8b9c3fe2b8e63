/**
 * Lies in a directory while it is being restored: written first, removed last. Without
 * `global/pg_control`, which is placed right before that, no server starts in it anyway; this says
 * why, and which tablespace directories belong to it.
 */
export const INCOMPLETE_MARK = 'tsbk_restore_incomplete';

/** What the mark says. */
export interface IncompleteMark {
  readonly backup: string;
  /** The cluster of the backup, if that is known. */
  readonly systemId: string | undefined;
  /** Directories of its tablespaces, absolute. */
  readonly tablespaces: readonly string[];
}

/** The mark's text. */
export function incompleteMarkText({ backup, systemId, tablespaces }: IncompleteMark): string {
  const lines = [
    `Restore of ${backup} by tsbk: not complete. Do not start a server here.`,
    ...(systemId === undefined ? [] : [`Cluster ${systemId}`]),
    'If no tsbk is running, repeat it with --delta, or remove this directory and these tablespace directories:',
    ...tablespaces,
  ];
  return `${lines.join('\n')}\n`;
}

/** What is to be known of the mark of an earlier run. */
export interface FoundMark {
  /** The cluster that was being restored. */
  readonly systemId: string | undefined;
  /** Whether the mark names the directory as one of its tablespaces. */
  names(location: string): boolean;
}

/** Reads a mark. */
export function parseIncompleteMark(text: string): FoundMark {
  return {
    systemId: /^Cluster (\d+)$/m.exec(text)?.[1],
    // A location may hold whatever a file name may, line breaks too.
    names: (location) => text.includes(`\n${location}\n`),
  };
}
