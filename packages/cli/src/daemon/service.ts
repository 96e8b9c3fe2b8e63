import { join } from 'node:path';
import { openStateFolder, stateDirectoryOf } from '@tsbk/core/cluster/state-directory';
import { daemonSocketOf, SOCKET_NAME } from '@tsbk/core/engine/daemon-socket';
import { describeError } from '@tsbk/core/engine/describe-error';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import type { Clock } from '@tsbk/core/ports/clock';
import type { Report } from '@tsbk/core/ports/report';
import type { LoadedSettings } from '@tsbk/core/settings/load';
import { Door } from './door.ts';
import { httpServer } from './http.ts';
import { LastBackup } from './last-backup.ts';
import { linkTo, listenOn, unlinkFrom } from './listen.ts';
import { Metrics } from './metrics.ts';
import { createNotifier } from './notify.ts';
import { createPages } from './pages.ts';
import { Reloader } from './reloader.ts';
import { answerWal } from './routes.ts';
import { Sites } from './site.ts';
import { WalService } from './wal-service.ts';
import { serveWalg } from './walg-session.ts';
import { keepWatch } from './watchdog.ts';

/** How long work that is under way may take to end when the daemon is told to stop. */
const STOP_MS = 20_000;
/** And to tell its clients how it ended. */
const FAREWELL_MS = 1000;

export interface ServiceRequest {
  /** Absolute. */
  readonly dataDir: string;
  /** Absolute; by the settings if absent. */
  readonly socket: string | undefined;
  readonly cwd: string;
  readonly settings: LoadedSettings;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly reloadSettings: () => Promise<LoadedSettings>;
  readonly onHangup: (listener: () => void) => void;
  /** Asks it to stop. */
  readonly signal: AbortSignal;
  readonly report: Report;
  readonly clock: Clock;
}

/**
 * The life of a daemon: open the archive, listen, serve until it is told to stop, finish what is under
 * way. Resolves when it has stopped in good order. Throws `daemon-socket`, `daemon-running`,
 * `state-directory`, and what is wrong with the settings.
 */
export async function runService(request: ServiceRequest): Promise<void> {
  const { dataDir, settings, report, clock, environment } = request;
  // What is under way at the end gets its time; only then this aborts.
  const stop = new AbortController();
  const { signal } = stop;
  await using sites = await Sites.open(settings, { signal, report });
  const metrics = new Metrics(clock);
  const failed = tellFailures(report);
  const service = new WalService({ dataDir, sites, metrics, clock, report, failed });
  const notifier = createNotifier({
    environment,
    pid: process.pid,
    clock,
    failed: (error) => failed('telling systemd', error),
  });
  const reloader = new Reloader({ ...request, sites, notifier, failed });
  const state = stateDirectoryOf(dataDir, settings.config.stateDirectory);
  const lastBackup = new LastBackup(sites, { clock, signal });
  const door: Door = new Door({
    http: httpServer({
      pages: createPages({
        dataDir,
        state,
        metrics,
        service,
        reloader,
        lastBackup,
        clock,
        connections: () => door.connections,
      }),
      wal: (asked) => answerWal(asked, { dataDir, sites, service, failed }),
    }),
    walg: (socket) => serveWalg(socket, { service, failed }),
  });
  const place = await listen(door, request, state);
  report({
    kind: 'info',
    text: `serving ${dataDir} on ${place.socket}, for ${sites.current.url}`,
  });
  request.onHangup(() => void reloader.reload());
  void lastBackup.refresh();
  using _watch = keepWatch(notifier, dataDir);
  await notifier.tell('READY=1', `STATUS=serving ${dataDir}`);
  await untilAborted(request.signal);
  await notifier.tell('STOPPING=1');
  report({ kind: 'info', text: 'stopping: no new requests' });
  door.stopListening();
  if (place.link !== undefined) await unlinkFrom(place.socket, place.link);
  await Promise.race([service.drained(), clock.sleep(STOP_MS, { signal })]);
  stop.abort(request.signal.reason);
  await farewell(door, clock);
}

interface Place {
  readonly socket: string;
  /** A link to it where the commands look, if that is elsewhere. */
  readonly link: string | undefined;
}

async function listen(
  { server }: Door,
  { dataDir, cwd, settings, ...request }: ServiceRequest,
  state: string,
): Promise<Place> {
  await openStateFolder(state, '');
  const socket = request.socket ?? daemonSocketOf(dataDir, settings.config);
  await listenOn(server, socket, cwd);
  const usual = join(state, SOCKET_NAME);
  if (socket === usual) return { socket, link: undefined };
  try {
    await linkTo(socket, usual);
  } catch (error) {
    server.close();
    throw error;
  }
  return { socket, link: usual };
}

/** Lets answers that were written reach their clients, then closes what is open. */
async function farewell(door: Door, clock: Clock): Promise<void> {
  const { signal } = new AbortController();
  const endMs = clock.monotonicMs() + FAREWELL_MS;
  while (door.connections > 0 && clock.monotonicMs() < endMs) await clock.sleep(20, { signal });
  door.clear();
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Each failure is a warning of one line, with what to do. */
function tellFailures(report: Report): (what: string, error: unknown) => void {
  return (what, error) => {
    const [code, text] = isTsbkError(error)
      ? ([error.code, [error.message, error.hint]] as const)
      : (['internal', describeError(error)] as const);
    report({ kind: 'warning', code, text: [what, ...text].filter(Boolean).join(': ') });
  };
}
