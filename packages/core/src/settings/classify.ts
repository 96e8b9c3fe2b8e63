import { TsbkError } from '../kernel/errors.ts';
import {
  keyOfName,
  settingNames,
  type Given,
  type IgnoredSetting,
  type SettingsWarning,
} from './given.ts';
import { nearest } from './nearest.ts';
import { CONNECTION_VARIABLES, isPassedOn } from './passed-on.ts';
import { toFlag } from './table.ts';
import {
  belongsToForeignStore,
  FOREIGN_PREFIXES,
  IGNORED_NAMES,
  isReservedName,
  UNSUPPORTED_NAMES,
} from './walg-names.ts';

/** Everything that was set, sorted by what it means to tsbk. Precedence is kept. */
export interface Classified {
  readonly settings: readonly Given[];
  /** Prefixes of stores that tsbk has no adapter for. */
  readonly foreignPrefixes: readonly Given[];
  /** Variables of the PostgreSQL client, the AWS SDK and the network layer. */
  readonly passedOn: readonly Given[];
  readonly ignored: readonly IgnoredSetting[];
  readonly warnings: readonly SettingsWarning[];
  readonly problems: readonly TsbkError[];
}

type Verdict =
  | { readonly kind: 'setting' | 'foreign prefix' | 'passed on' | 'nothing' }
  | { readonly kind: 'ignored' | 'warning'; readonly text: string }
  | { readonly kind: 'problem'; readonly problem: TsbkError };

const FOREIGN_PREFIX_NAMES: ReadonlySet<string> = new Set(
  FOREIGN_PREFIXES.flatMap((store) => [`WALG_${store}_PREFIX`, `WALE_${store}_PREFIX`]),
);

/**
 * Sorts what was set. An unknown `TSBK_` name, option or file key is a problem, an unknown `WALG_`
 * name a warning, and a name of the environment that is neither is none of our business.
 */
export function classify(given: readonly Given[]): Classified {
  const judged = given.map((one) => ({ one, verdict: judge(one) }));
  const those = (kind: Verdict['kind']): readonly Given[] =>
    judged.filter(({ verdict }) => verdict.kind === kind).map(({ one }) => one);
  return {
    settings: those('setting'),
    foreignPrefixes: those('foreign prefix'),
    passedOn: those('passed on'),
    ignored: judged.flatMap(({ one, verdict }) =>
      verdict.kind === 'ignored' ? [{ written: one.written, reason: verdict.text }] : [],
    ),
    warnings: judged.flatMap(({ verdict }) =>
      verdict.kind === 'warning' ? [{ code: 'setting-unknown', text: verdict.text }] : [],
    ),
    problems: judged.flatMap(({ verdict }) =>
      verdict.kind === 'problem' ? [verdict.problem] : [],
    ),
  };
}

function judge(given: Given): Verdict {
  const { name } = given;
  if (keyOfName(name) !== undefined) return judgeSetting(given);
  const unsupported = UNSUPPORTED_NAMES.get(name);
  if (unsupported !== undefined) {
    if (unsupported.harmless?.test(given.text) === true) {
      return { kind: 'ignored', text: 'it asks for nothing special' };
    }
    const problem = new TsbkError(
      'unsupported-setting',
      `${given.written} cannot be obeyed: ${unsupported.reason}`,
      { hint: 'Remove the setting, or stay with WAL-G for this repository.' },
    );
    return { kind: 'problem', problem };
  }
  if (FOREIGN_PREFIX_NAMES.has(name)) return { kind: 'foreign prefix' };
  const reason = IGNORED_NAMES.get(name);
  if (reason !== undefined) return { kind: 'ignored', text: reason };
  if (isPassedOn(name)) return { kind: 'passed on' };
  return judgeUnknown(given);
}

function judgeSetting(given: Given): Verdict {
  if (given.source !== 'file' || keyOfName(given.name) !== 'configFile') return { kind: 'setting' };
  return { kind: 'ignored', text: 'a settings file cannot name another one' };
}

function judgeUnknown(given: Given): Verdict {
  const { name, source, written } = given;
  if (isReservedName(name)) return { kind: 'nothing' };
  const isOurs = /^(?:TSBK|WAL[GE])_/.test(name);
  if (source === 'environment' && !isOurs) return { kind: 'nothing' };
  const suggestion = nearest(spelledLike(given, name), candidates(given));
  const didYouMean = suggestion === undefined ? '' : `; did you mean ${suggestion}?`;
  if (/^WAL[GE]_/.test(name)) {
    return {
      kind: 'warning',
      text: `${written} is no setting of tsbk or WAL-G for PostgreSQL${didYouMean}`,
    };
  }
  if (belongsToForeignStore(name)) {
    return { kind: 'ignored', text: 'it belongs to a store that tsbk has no adapter for' };
  }
  const problem = new TsbkError('usage', `${written} is no setting${didYouMean}`, {
    hint: '`tsbk config` lists all settings.',
  });
  return { kind: 'problem', problem };
}

/** Options are compared with options, names with names. */
function spelledLike({ source }: Given, name: string): string {
  return source === 'flag' ? `--${toFlag(name)}` : name;
}

function candidates(given: Given): readonly string[] {
  const names = [...settingNames(), ...Object.keys(CONNECTION_VARIABLES)];
  if (given.source !== 'flag') return names;
  return names.map((name) => `--${toFlag(name.replace(/^TSBK_/, ''))}`);
}
