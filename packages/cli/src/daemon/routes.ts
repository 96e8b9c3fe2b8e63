import { join } from 'node:path';
import { PROVEN_ABSENT } from '@tsbk/restore-command/run';
import type { Asked } from '@tsbk/core/archive/push-record';
import { directoryMark } from '@tsbk/core/engine/daemon-place';
import { done, failure, refusal, type Answer } from './answer.ts';
import type { Site, Sites } from './site.ts';
import type { WalService } from './wal-service.ts';

/** Completes a target to what the parser of URLs takes. */
const BASE = 'http://tsbk';

export interface WalRequest {
  readonly method: string;
  /** Path and query as they came. */
  readonly target: string;
  /** Of the headers by which a command says whose daemon it wants; `undefined` from others. */
  readonly place: string | undefined;
  readonly directory: string | undefined;
  /** What the command's launcher may answer to, as it came. */
  readonly asked: string | undefined;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
}

export interface Pages {
  health(): Answer;
  metrics(): Promise<string>;
}

interface RouteOptions {
  readonly dataDir: string;
  readonly sites: Sites;
  readonly service: WalService;
  /** Hears of failures. */
  readonly failed: (what: string, error: unknown) => void;
}

/**
 * `archive-push` and `archive-get` over HTTP. The names that WAL-G has for them are understood as well,
 * and the file's name may be part of the path: `/wal-push/%f`.
 */
export async function answerWal(request: WalRequest, options: RouteOptions): Promise<Answer> {
  const asked = parseTarget(request.target);
  if (asked.kind === 'wrong') return refusal(400, asked.problem);
  if (request.method !== 'POST' && request.method !== 'PUT') {
    return refusal(405, `${request.method} does nothing here, POST does`);
  }
  const site = options.sites.current;
  const other = await isForAnother(request, site, options);
  if (other !== undefined) return other;
  if (asked.kind === 'push') return await push(asked.path, site, { request, ...options });
  return await get(asked, site, { request, ...options });
}

type Target =
  | { readonly kind: 'push'; readonly path: string }
  | { readonly kind: 'get'; readonly name: string; readonly path: string }
  | { readonly kind: 'wrong'; readonly problem: string };

function parseTarget(target: string): Target {
  if (!URL.canParse(target, BASE)) return { kind: 'wrong', problem: 'the request has no path' };
  const { pathname, searchParams } = new URL(target, BASE);
  const [, command = '', last] = pathname.split('/');
  const path = searchParams.get('path');
  switch (command) {
    case 'archive-push':
    case 'wal-push': {
      const file = path ?? last;
      if (file === undefined) return { kind: 'wrong', problem: `${command} wants ?path=%p` };
      return { kind: 'push', path: file };
    }
    case 'archive-get':
    case 'wal-fetch': {
      const name = searchParams.get('name') ?? last;
      if (name !== undefined && path !== null) return { kind: 'get', name, path };
      return { kind: 'wrong', problem: `${command} wants ?name=%f&path=%p` };
    }
    default:
      return { kind: 'wrong', problem: `the daemon does not do ${JSON.stringify(pathname)}` };
  }
}

/** A command that means another archive, or another server's WAL, does its work itself. */
async function isForAnother(
  { place, directory }: WalRequest,
  site: Site,
  { dataDir }: RouteOptions,
): Promise<Answer | undefined> {
  if (place !== undefined && place !== site.mark) {
    return refusal(421, `this daemon is for ${site.url}, or has other keys`);
  }
  if (directory !== undefined && directory !== (await directoryMark(join(dataDir, 'pg_wal')))) {
    return refusal(421, `this daemon is for the server in ${dataDir}`);
  }
  return undefined;
}

async function push(
  file: string,
  site: Site,
  { request, service, failed }: RouteOptions & { readonly request: WalRequest },
): Promise<Answer> {
  try {
    const asked = parseAsked(request.asked);
    const { name, outcome } = await service.push(file, request.signal, { asked, site });
    if (outcome === 'stored') return done();
    return done([`${name} was archived before, with the same content`]);
  } catch (error) {
    failed(`archive-push ${JSON.stringify(file)}`, error);
    return failure(error);
  }
}

/** From a command of this user, whose word on its own settings counts; `undefined` for anything else. */
function parseAsked(header: string | undefined): Asked | undefined {
  if (header === undefined) return undefined;
  try {
    const { environment, settings, settingsIdentity } = JSON.parse(
      Buffer.from(header, 'base64url').toString('utf8'),
    ) as Record<string, unknown>;
    const isWhole =
      typeof environment === 'string' &&
      typeof settings === 'string' &&
      typeof settingsIdentity === 'string';
    return isWhole ? { environment, settings, settingsIdentity } : undefined;
  } catch {
    return undefined;
  }
}

async function get(
  { name, path }: { readonly name: string; readonly path: string },
  site: Site,
  { request, service, failed }: RouteOptions & { readonly request: WalRequest },
): Promise<Answer> {
  try {
    const outcome = await service.get(name, path, request.signal, { site });
    if (outcome === 'fetched') return done();
    return { status: 404, exitCode: PROVEN_ABSENT, lines: [`${name} is not in the archive`] };
  } catch (error) {
    failed(`archive-get ${JSON.stringify(name)}`, error);
    return failure(error);
  }
}
