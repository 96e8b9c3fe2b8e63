const SAFE = /^[\w@:,./+=-]+$/;

/**
 * One word of a POSIX shell command: as it is if no character has a meaning to the shell, in single
 * quotes otherwise. Throws `RangeError` for NUL, which no argument can hold.
 */
export function shellQuote(word: string): string {
  if (word.includes('\0')) throw new RangeError('a command cannot hold a NUL character');
  return SAFE.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** What PostgreSQL puts in: the file's name, its path, the oldest file still needed. */
export type CommandPlaceholder = '%f' | '%p' | '%r';

/**
 * A command for `restore_command` or `archive_command`: words for the shell, in which `%` stands for
 * itself, and then what the server is to put in. (The server looks at `%` before the shell does.)
 */
export function serverCommand(
  words: readonly string[],
  placeholders: readonly CommandPlaceholder[],
): string {
  const literal = words.map((word) => shellQuote(word).replaceAll('%', '%%'));
  return [...literal, ...placeholders.map((placeholder) => `"${placeholder}"`)].join(' ');
}
