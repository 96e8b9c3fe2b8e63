import { EXIT } from '@tsbk/core/kernel/exit';
import { describeSettings, type SettingRow } from '@tsbk/core/settings/describe';
import { CONNECTION_VARIABLES } from '@tsbk/core/settings/passed-on';
import { nameOf, SETTING_LIST } from '@tsbk/core/settings/table';
import type { CommandContext } from '../command.ts';
import { definitions, paragraph } from '../help/layout.ts';

const VALUE_COLUMNS = 24;

/** `tsbk config`: answers `usage` when a setting is wrong, after showing all of them. */
export function runConfig(context: CommandContext): number {
  const { flags, settings, problems, out } = context;
  const rows = describeSettings(settings);
  out(flags.on('json') === true ? asJson(rows, context) : asText(rows, context));
  return problems.length === 0 ? EXIT.ok : EXIT.usage;
}

function asJson(settings: readonly SettingRow[], context: CommandContext): string {
  const { ignored, warnings } = context.settings;
  const problems = context.problems.map(({ code, message, hint }) => ({ code, message, hint }));
  return `${JSON.stringify({ settings, ignored, warnings, problems }, undefined, 2)}\n`;
}

function asText(
  rows: readonly SettingRow[],
  { flags, settings, problems }: CommandContext,
): string {
  const all = flags.on('all') === true;
  const shown = rows.filter(({ value }) => all || value !== undefined);
  const groups = [...new Set(shown.map(({ group }) => group))].map((group) =>
    groupText(group, shown, all),
  );
  const ignored = settings.ignored.map(({ written, reason }) => [written, reason] as const);
  const wrong = problems.map(({ message }) => paragraph(message, 2));
  return [
    ...groups,
    ...(ignored.length === 0
      ? []
      : [`Accepted, and changes nothing:\n${definitions(ignored, { termColumns: 36 })}\n`]),
    ...(wrong.length === 0 ? [] : [`Wrong:\n${wrong.join('\n')}\n`]),
  ].join('\n');
}

function groupText(group: string, rows: readonly SettingRow[], all: boolean): string {
  const nameColumns = Math.max(...rows.map(({ name }) => name.length)) + 2;
  const lines = rows
    .filter((row) => row.group === group)
    .flatMap(({ name, value, source, from }) => [
      `  ${name.padEnd(nameColumns)}${(value ?? '(not set)').padEnd(VALUE_COLUMNS)}  ${from ?? source}`,
      ...(all ? [paragraph(docOf(name), 6)] : []),
    ]);
  return `${group}:\n${lines.join('\n')}\n`;
}

function docOf(name: string): string {
  const setting = SETTING_LIST.find(([, one]) => nameOf(one) === name)?.[1];
  return setting?.doc ?? CONNECTION_VARIABLES[name] ?? '';
}
