import { TsbkError } from '../kernel/errors.ts';
import { chooseLocation } from './choose-location.ts';
import { classify } from './classify.ts';
import { crossCheck } from './cross-check.ts';
import {
  givenByEnvironment,
  givenByFile,
  givenByFlags,
  type Given,
  type IgnoredSetting,
  type SettingsFile,
  type SettingsWarning,
} from './given.ts';
import { Secret } from './secret.ts';
import type { ConfiguredCommand, Machine, Setting } from './setting.ts';
import { SETTING_LIST, type Config, type SettingKey } from './table.ts';

export interface LoadRequest {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Long options that set settings, without the dashes: `s3-prefix`, `walg-s3-prefix`, `pghost`. */
  readonly flags: Readonly<Record<string, string>>;
  readonly file?: SettingsFile | undefined;
  readonly machine: Machine;
  /**
   * The command that will run. A bad value of a setting that it does not use is a warning then: a
   * restore must not fail on the size of uploads.
   */
  readonly command?: ConfiguredCommand | undefined;
}

export interface LoadedSettings {
  readonly config: Config;
  /** What each effective value was taken from; settings that are not among them have defaults. */
  readonly origins: Readonly<Partial<Record<SettingKey, Given>>>;
  /** Variables for the PostgreSQL client and the AWS SDK, from options or the file. */
  readonly environment: Readonly<Record<string, string>>;
  /** Where these and those of the real environment come from. */
  readonly passedOn: readonly Given[];
  readonly ignored: readonly IgnoredSetting[];
  readonly warnings: readonly SettingsWarning[];
}

/**
 * The effective settings: option before environment before file before default, and within each
 * `TSBK_X` before `WALG_X`. Touches nothing but its arguments. Throws `usage` for values and names
 * that cannot be understood, `unsupported-setting` for what must not be ignored.
 */
export function loadSettings(request: LoadRequest): LoadedSettings {
  const { settings, problems } = resolveSettings(request);
  requireSound(problems);
  return settings;
}

/** Throws all problems as one error, if there are any. */
export function requireSound(problems: readonly TsbkError[]): void {
  const [first, ...others] = problems;
  if (first === undefined) return;
  if (others.length === 0) throw first;
  const unsupported = problems.find(({ code }) => code === 'unsupported-setting');
  const lines = problems.map(({ message }) => `\n  ${message}`);
  throw new TsbkError(
    unsupported?.code ?? 'usage',
    `${problems.length} settings are wrong:${lines.join('')}`,
    { hint: '`tsbk config` shows each setting and where it comes from.' },
  );
}

/** Like `loadSettings`, for showing settings: all problems are collected, none is thrown. */
export function resolveSettings(request: LoadRequest): {
  readonly settings: LoadedSettings;
  readonly problems: readonly TsbkError[];
} {
  const all = [
    ...givenByFlags(request.flags),
    ...givenByEnvironment(request.env),
    ...(request.file === undefined ? [] : givenByFile(request.file)),
  ];
  const names = classify(all);
  const location = chooseLocation(names);
  const values = takeValues(location.given, request);
  const passedOn = firstOfEach(names.passedOn);
  const problems = [...names.problems, ...location.problems, ...values.problems];
  const checked = crossCheck({ config: values.config, given: all, file: request.file });
  return {
    problems: [...problems, ...checked.problems],
    settings: {
      config: values.config,
      origins: values.origins,
      environment: additions(passedOn),
      passedOn,
      ignored: [...names.ignored, ...location.ignored],
      warnings: [...names.warnings, ...location.warnings, ...values.warnings, ...checked.warnings],
    },
  };
}

interface Values {
  readonly config: Config;
  readonly origins: Partial<Record<SettingKey, Given>>;
  readonly problems: readonly TsbkError[];
  readonly warnings: readonly SettingsWarning[];
}

function takeValues(given: readonly Given[], request: LoadRequest): Values {
  const config: Partial<Record<SettingKey, unknown>> = {};
  const origins: Partial<Record<SettingKey, Given>> = {};
  const problems: TsbkError[] = [];
  const warnings: SettingsWarning[] = [];
  for (const [key, setting] of SETTING_LIST) {
    config[key] = defaultOf(setting, request.machine);
    const chosen = firstByName(given, setting);
    if (chosen === undefined) continue;
    const outcome = read(setting, chosen);
    if (!(outcome instanceof TsbkError)) {
      origins[key] = chosen;
      config[key] = outcome.value;
    } else if (request.command === undefined || setting.commands.includes(request.command)) {
      problems.push(outcome);
    } else {
      warnings.push({ code: 'setting-unused', text: `${outcome.message}; not needed here` });
    }
  }
  if (request.file !== undefined) config.configFile = request.file.path;
  return { config: config as Config, origins, problems, warnings };
}

/** Sources are in order of precedence already; within one, the setting's names are. */
function firstByName(given: readonly Given[], setting: Setting): Given | undefined {
  const candidates = given.filter(({ name }) => setting.env.includes(name));
  const source = candidates[0]?.source;
  return setting.env
    .map((name) => candidates.find((one) => one.name === name && one.source === source))
    .find((one) => one !== undefined);
}

function read(setting: Setting, { text, written }: Given): { readonly value: unknown } | TsbkError {
  const parsed = setting.kind.parse(setting.verbatim ? text : text.replace(/[\r\n]+$/, ''));
  if (parsed.ok) return { value: setting.secret ? new Secret(parsed.value) : parsed.value };
  const shown = setting.secret ? '' : `, not ${JSON.stringify(text)}`;
  const code = parsed.unsupported === true ? 'unsupported-setting' : 'usage';
  return new TsbkError(code, `${written} must be ${parsed.expected}${shown}`, {
    hint: setting.doc,
  });
}

function defaultOf(setting: Setting, machine: Machine): unknown {
  const value: unknown = setting.default;
  return typeof value === 'function' ? (value as (machine: Machine) => unknown)(machine) : value;
}

function firstOfEach(given: readonly Given[]): readonly Given[] {
  const first = new Map<string, Given>();
  for (const one of given) if (!first.has(one.name)) first.set(one.name, one);
  return [...first.values()];
}

function additions(passedOn: readonly Given[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    passedOn.filter(({ source }) => source !== 'environment').map(({ name, text }) => [name, text]),
  );
}
