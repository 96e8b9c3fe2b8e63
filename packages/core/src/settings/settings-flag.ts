import { belongsToForeignStore, IGNORED_NAMES, UNSUPPORTED_NAMES } from './walg-names.ts';
import { keyOfName, settingNames, toName } from './given.ts';
import { CONNECTION_VARIABLES, isPassedOn } from './passed-on.ts';
import { flagOf, SETTING_LIST, toFlag } from './table.ts';
import { boolean } from './kinds.ts';

const SWITCHES: ReadonlySet<string> = new Set(
  SETTING_LIST.filter(([, setting]) => setting.kind === boolean).map(([, setting]) =>
    flagOf(setting),
  ),
);

/**
 * Whether a long option (without its dashes) sets a setting, and how: a `switch` may stand alone,
 * a `value` takes the next argument. WAL-G's hidden options `--walg-…`, `--pghost` … always take a
 * value, also the boolean ones.
 */
export function settingFlag(flag: string): 'switch' | 'value' | undefined {
  if (SWITCHES.has(flag)) return 'switch';
  if (flag !== flag.toLowerCase()) return undefined;
  const name = toName(flag);
  const known =
    keyOfName(name) !== undefined ||
    isPassedOn(name) ||
    UNSUPPORTED_NAMES.has(name) ||
    IGNORED_NAMES.has(name) ||
    belongsToForeignStore(name) ||
    /^WAL[GE]_/.test(name);
  return known ? 'value' : undefined;
}

/** Every option that sets a setting, for finding the nearest to a misspelled one. */
export function settingFlags(): readonly string[] {
  return [
    ...SETTING_LIST.map(([, setting]) => flagOf(setting)),
    ...[...settingNames(), ...Object.keys(CONNECTION_VARIABLES)].map(toFlag),
  ];
}
