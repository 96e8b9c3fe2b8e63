import type { Kind } from './kinds.ts';
import type { Secret } from './secret.ts';

/** Commands that read settings. */
export const CONFIGURED_COMMANDS = [
  'backup-push',
  'backup-fetch',
  'backup-merge',
  'backup-list',
  'backup-show',
  'extract',
  'archive-push',
  'archive-get',
  'wal-receive',
  'wal-show',
  'wal-verify',
  'daemon',
  'check',
  'st',
] as const;

export type ConfiguredCommand = (typeof CONFIGURED_COMMANDS)[number];

/** What is known of the machine when defaults are worked out. */
export interface Machine {
  readonly cores: number;
}

/** One record of the settings table. */
export interface Setting<T = unknown, Default = unknown, IsSecret extends boolean = boolean> {
  /** Environment names, first wins. The first is ours: `TSBK_X`, which also gives the flag `--x`. */
  readonly env: readonly [`TSBK_${string}`, ...string[]];
  readonly kind: Kind<T>;
  readonly default: Default;
  /** For the documentation, where the default is not a constant. */
  readonly defaultText?: string | undefined;
  /** Printed as `***`, wrapped in `Secret`, warned about on a command line. */
  readonly secret: IsSecret;
  /** Taken as it is: no line end is cut off. */
  readonly verbatim: boolean;
  readonly commands: readonly ConfiguredCommand[];
  /** One line, in the words of an operator. */
  readonly doc: string;
}

/** A setting's value as the code sees it. */
export type SettingValue<S> =
  S extends Setting<infer T, infer Default, infer IsSecret>
    ? (IsSecret extends true ? Secret<T> : T) | DefaultValue<Default>
    : never;

type DefaultValue<Default> = Default extends (machine: Machine) => infer R ? R : Default;

interface Declaration<T, Default, IsSecret extends boolean> {
  readonly env: readonly [`TSBK_${string}`, ...string[]];
  readonly kind: Kind<T>;
  readonly default?: Default;
  readonly defaultText?: string;
  readonly secret?: IsSecret;
  readonly verbatim?: boolean;
  readonly commands: readonly ConfiguredCommand[];
  readonly doc: string;
}

/** Declares a setting; without `default` it may be unset. */
export function setting<
  T,
  const Default extends T | ((machine: Machine) => T) | undefined = undefined,
  IsSecret extends boolean = false,
>(declaration: Declaration<T, Default, IsSecret>): Setting<T, Default, IsSecret> {
  return {
    verbatim: false,
    ...declaration,
    default: declaration.default as Default,
    secret: (declaration.secret ?? false) as IsSecret,
  };
}
