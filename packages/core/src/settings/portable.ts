import type { LoadedSettings } from './load.ts';
import { Secret } from './secret.ts';
import { SETTING_LIST, type Config } from './table.ts';

/**
 * Settings as plain data, for a worker thread of this process. It holds the secrets in the clear:
 * never log it, never write it.
 */
export interface PortableSettings {
  readonly settings: Omit<LoadedSettings, 'config'>;
  readonly values: Readonly<Record<string, unknown>>;
}

/** Takes the settings apart. */
export function toPortableSettings({ config, ...settings }: LoadedSettings): PortableSettings {
  const entries = Object.entries<unknown>(config).map(([key, value]) => [
    key,
    value instanceof Secret ? value.reveal() : value,
  ]);
  return { settings, values: Object.fromEntries(entries) as Record<string, unknown> };
}

/** Puts them together again, the secrets wrapped. */
export function fromPortableSettings({ settings, values }: PortableSettings): LoadedSettings {
  const config: Record<string, unknown> = { ...values };
  for (const [key, { secret }] of SETTING_LIST) {
    if (secret && config[key] !== undefined) config[key] = new Secret(config[key]);
  }
  // The values are those of a `Config`, key by key.
  return { ...settings, config: config as Config };
}
