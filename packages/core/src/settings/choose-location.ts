import { TsbkError } from '../kernel/errors.ts';
import type { Classified } from './classify.ts';
import { keyOfName, type Given, type IgnoredSetting, type SettingsWarning } from './given.ts';

/** WAL-G's order: the first store whose prefix is set is the one. */
const WALG_ORDER = ['OSS', 'S3', 'FILE', 'GS', 'AZ', 'SWIFT', 'SSH'];

export interface LocationChoice {
  /** The settings without the prefixes that lost. */
  readonly given: readonly Given[];
  readonly ignored: readonly IgnoredSetting[];
  readonly warnings: readonly SettingsWarning[];
  readonly problems: readonly TsbkError[];
}

/**
 * Leaves one repository when prefixes of several stores are set. An option wins, then `TSBK_`
 * names, then WAL-G's order of stores, so that an unchanged WAL-G configuration means the same
 * place here. If that is a store tsbk has no adapter for, this is a problem, not the next prefix:
 * the backups would go where nobody looks for them.
 */
export function chooseLocation({ settings, foreignPrefixes }: Classified): LocationChoice {
  const prefixes = [...settings.filter(isPrefix), ...foreignPrefixes];
  const [winner] = prefixes.toSorted((a, b) => rank(a) - rank(b));
  if (winner === undefined) return { given: settings, ignored: [], warnings: [], problems: [] };
  const losers = prefixes.filter((prefix) => storeOf(prefix) !== storeOf(winner));
  const reason = `${winner.written} says where the repository is`;
  return {
    given: settings.filter((one) => !losers.includes(one)),
    ignored: losers.map(({ written }) => ({ written, reason })),
    warnings: losers.map(({ written }) => ({
      code: 'setting-overridden',
      text: `${written} is not used: ${reason}`,
    })),
    problems: foreignPrefixes.includes(winner) ? [noAdapter(winner)] : [],
  };
}

function isPrefix({ name }: Given): boolean {
  const key = keyOfName(name);
  return key === 's3Prefix' || key === 'filePrefix';
}

function rank(given: Given): number {
  const ours = given.name.startsWith('TSBK_');
  const order = WALG_ORDER.indexOf(storeOf(given));
  if (given.source === 'flag') return order + (ours ? 0 : 10);
  if (ours) return order + (given.source === 'environment' ? 20 : 30);
  return order + 40;
}

function storeOf({ name }: Given): string {
  return name.replace(/^[A-Z]+_/, '').replace(/_PREFIX$/, '');
}

function noAdapter({ written }: Given): TsbkError {
  return new TsbkError('unsupported-setting', `${written}: tsbk has no adapter for this store`, {
    hint: 'Set TSBK_S3_PREFIX or TSBK_FILE_PREFIX, which win, or stay with WAL-G.',
  });
}
