import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { TsbkError } from '../../kernel/errors.ts';
import type { S3Options } from './options.ts';

/**
 * Refuses an endpoint that only the files of the AWS tools name (`endpoint_url`). What is compared to know
 * whether two runs mean the same archive are our own settings; so the client ignores those files' endpoint, and
 * to go to AWS then without a word would be another place than their user expects. Throws
 * `unsupported-setting`, with what to set. A file that cannot be read says nothing.
 */
export async function refuseConfiguredEndpoint(options: S3Options): Promise<void> {
  if (options.endpoint !== undefined) return;
  const { profile = 'default', configFile, sharedCredentialsFile } = options;
  for (const file of [
    configFile ?? usual('config'),
    sharedCredentialsFile ?? usual('credentials'),
  ]) {
    if (file === undefined) continue;
    const url = endpointIn(await readFile(file, 'utf8').catch(() => ''), profile);
    if (url === undefined) continue;
    throw new TsbkError(
      'unsupported-setting',
      `${file} has endpoint_url = ${url} for the profile ${profile}, which is not used from there`,
      {
        hint: 'Set TSBK_S3_ENDPOINT to it, or to https://s3.REGION.amazonaws.com if AWS itself is meant.',
      },
    );
  }
}

function usual(name: string): string | undefined {
  try {
    return join(homedir(), '.aws', name);
  } catch {
    // A user id without an entry, as containers have them.
    return undefined;
  }
}

type Section = ReadonlyMap<string, string>;

/**
 * The endpoint for S3 that a profile has, by the rules of the AWS tools: of its services section first,
 * then its own; none if it says `ignore_configured_endpoint_urls`.
 */
function endpointIn(text: string, profile: string): string | undefined {
  const sections = parse(text);
  const own = sections.get(`profile ${profile}`) ?? sections.get(profile);
  if (own === undefined) return undefined;
  if (own.get('ignore_configured_endpoint_urls')?.toLowerCase() === 'true') return undefined;
  const services = sections.get(`services ${own.get('services') ?? ''}`);
  return services?.get('s3.endpoint_url') ?? own.get('endpoint_url');
}

/** Sections by their names; a setting that is nested in another has both names, with a dot between. */
function parse(text: string): ReadonlyMap<string, Section> {
  const sections = new Map<string, Map<string, string>>();
  let section = new Map<string, string>();
  let outer = '';
  for (const line of text.split(/\r?\n/)) {
    const name = /^\[\s*([^\]]+?)\s*\]/.exec(line)?.[1]?.replaceAll(/\s+/g, ' ');
    if (name !== undefined) {
      section = sections.get(name) ?? new Map<string, string>();
      sections.set(name, section);
      continue;
    }
    const [, indent = '', key, value = ''] =
      /^(\s*)([A-Za-z0-9_-]+)\s*=\s*(.*?)(?:\s+[#;].*)?\s*$/.exec(line) ?? [];
    if (key === undefined) continue;
    if (indent === '') outer = key;
    section.set(indent === '' ? key : `${outer}.${key}`, value);
  }
  return sections;
}
