/**
 * The same program, any command of it, with the code of `backup-push` at hand: in a few files instead of
 * dozens (`scripts/build.ts`).
 */
import './run/backup-push.ts';
import './main.ts';
