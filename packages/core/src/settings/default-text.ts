import type { Setting } from './setting.ts';

/** The default of a setting as help and documentation print it; `undefined` if it has none. */
export function defaultText(setting: Setting): string | undefined {
  if (setting.defaultText !== undefined) return setting.defaultText;
  return setting.default === undefined ? undefined : setting.kind.format(setting.default);
}
