/** Request header: what `placeMark` gives for the command's settings. */
export const PLACE_HEADER = 'tsbk-place';

/**
 * Request header: what the command's launcher may answer to from memory the next time (`Asked`), as JSON
 * in base64url.
 */
export const ASKED_HEADER = 'tsbk-asked';

/** Request header: what `directoryMark` gives for the directory of the WAL file. */
export const DIRECTORY_HEADER = 'tsbk-directory';

/**
 * Response header of a final answer: the exit code that the command would have had. An answer without
 * it is none: the command works alone.
 */
export const EXIT_HEADER = 'tsbk-exit';

/** How often a daemon at work says so (`102 Processing`) to a command that waits. Milliseconds. */
export const SIGN_OF_LIFE_MS = 1000;
