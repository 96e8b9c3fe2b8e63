/**
 * The same program, any command of it, with the code of `backup-fetch` at hand: in a few files instead of
 * dozens (`scripts/build.ts`).
 */
import './run/backup-fetch.ts';
import './main.ts';
