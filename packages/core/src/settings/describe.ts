import type { Given } from './given.ts';
import type { LoadedSettings } from './load.ts';
import { isSecretVariable } from './passed-on.ts';
import { Secret } from './secret.ts';
import type { Setting } from './setting.ts';
import { nameOf, SETTING_GROUPS, SETTINGS, type SettingKey } from './table.ts';

/** One line of `tsbk config`. */
export interface SettingRow {
  readonly group: string;
  readonly name: string;
  /** Text that sets the same again; `***` for a secret; `undefined` if unset. */
  readonly value: string | undefined;
  readonly source: Given['source'] | 'default';
  /** What it was read from, as its author wrote it: `--s3-prefix`, `WALG_S3_PREFIX`. */
  readonly from: string | undefined;
}

/** Every setting with its effective value and where that came from, in the table's order. */
export function describeSettings(settings: LoadedSettings): readonly SettingRow[] {
  const rows: SettingRow[] = [];
  for (const [group, members] of Object.entries(SETTING_GROUPS)) {
    for (const key of Object.keys(members) as SettingKey[]) {
      const origin = settings.origins[key];
      rows.push({
        group,
        name: nameOf(SETTINGS[key]),
        value: valueText(SETTINGS[key], settings.config[key]),
        source: origin?.source ?? 'default',
        from: origin?.written,
      });
    }
  }
  return [...rows, ...passedOnRows(settings)];
}

function valueText(setting: Setting, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  return value instanceof Secret ? String(value) : setting.kind.format(value);
}

function passedOnRows({ passedOn }: LoadedSettings): readonly SettingRow[] {
  return passedOn.map(({ name, text, source, written }) => ({
    group: name.startsWith('PG') ? 'Connection to PostgreSQL' : 'Passed on as they are',
    name,
    value: isSecretVariable(name) ? '***' : text,
    source,
    from: written,
  }));
}
