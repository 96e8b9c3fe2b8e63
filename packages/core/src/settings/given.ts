import { SETTING_LIST, type SettingKey } from './table.ts';

/** Where a value came from. */
export type Source = 'flag' | 'environment' | 'file';

/** One value somebody set, under the name of the environment variable it stands for. */
export interface Given {
  readonly source: Source;
  /** `WALG_S3_PREFIX`, also when it was written `--walg-s3-prefix` or `walg_s3_prefix:`. */
  readonly name: string;
  readonly text: string;
  /** As its author wrote it, for messages: `--s3-prefix`, `WALG_S3_PREFIX`, `s3-prefix in FILE`. */
  readonly written: string;
}

/** A settings file, parsed. */
export interface SettingsFile {
  readonly path: string;
  readonly values: Readonly<Record<string, unknown>>;
  /** Group or everybody may read it. */
  readonly readableByOthers: boolean;
}

export interface SettingsWarning {
  /** Stable, for machines. */
  readonly code: string;
  readonly text: string;
}

/** Something that WAL-G knows, that is set, and that changes nothing here. */
export interface IgnoredSetting {
  readonly written: string;
  readonly reason: string;
}

const KEY_BY_NAME: ReadonlyMap<string, SettingKey> = new Map(
  SETTING_LIST.flatMap(([key, setting]) => setting.env.map((name) => [name, key] as const)),
);

/** The setting that an environment name stands for. */
export function keyOfName(name: string): SettingKey | undefined {
  return KEY_BY_NAME.get(name);
}

/** Every name by which a setting can be given in the environment. */
export function settingNames(): Iterable<string> {
  return KEY_BY_NAME.keys();
}

/** Values from the environment. An empty variable counts as unset. */
export function givenByEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): readonly Given[] {
  return Object.entries(env)
    .filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '')
    .map(([name, text]) => ({ source: 'environment', name, text, written: name }));
}

/** Values from long options, keyed without the dashes. */
export function givenByFlags(flags: Readonly<Record<string, string>>): readonly Given[] {
  return Object.entries(flags).map(([flag, text]) => ({
    source: 'flag',
    name: toName(flag),
    text,
    written: `--${flag}`,
  }));
}

/** Values from a settings file. `null` and the empty string count as unset, maps become JSON. */
export function givenByFile(file: SettingsFile): readonly Given[] {
  return Object.entries(file.values)
    .map(([key, value]) => ({
      source: 'file' as const,
      name: toName(key),
      text: textOf(value),
      written: `${key} in ${file.path}`,
    }))
    .filter(({ text }) => text !== '');
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** `s3-prefix` and `s3_prefix` mean `TSBK_S3_PREFIX`; `walg-s3-prefix` means `WALG_S3_PREFIX`. */
export function toName(key: string): string {
  const name = key.toUpperCase().replaceAll('-', '_');
  const ours = `TSBK_${name}`;
  return KEY_BY_NAME.has(ours) ? ours : name;
}
