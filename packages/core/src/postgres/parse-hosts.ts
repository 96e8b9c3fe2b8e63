import { TsbkError } from '../kernel/errors.ts';
import type { HostSettings } from './connection-settings.ts';

export interface HostLists {
  /** Comma-separated, as in `PGHOST`, `PGHOSTADDR`, `PGPORT`. */
  readonly hosts: string | undefined;
  readonly addresses: string | undefined;
  readonly ports: string | undefined;
  /** Stands for an empty host; `localhost` if there is none. */
  readonly socketDirectory: string | undefined;
}

const PORT_DEFAULT = 5432;

/**
 * The hosts to try, in order (PostgreSQL docs, "Specifying Multiple Hosts"): hosts and addresses
 * pair up, one port serves all. A host that begins with `/` is a socket's directory. Throws
 * `usage` when the lists do not match.
 */
export function parseHosts(lists: HostLists): HostSettings[] {
  const names = split(lists.hosts);
  const addresses = split(lists.addresses);
  const count = Math.max(names.length, addresses.length, 1);
  if (names.length > 0 && addresses.length > 0 && names.length !== addresses.length) {
    throw mismatch(`PGHOST names ${names.length} hosts and PGHOSTADDR ${addresses.length}`);
  }
  const ports = split(lists.ports);
  if (ports.length > 1 && ports.length !== count) {
    throw mismatch(`PGPORT names ${ports.length} ports for ${count} hosts`);
  }
  return Array.from({ length: count }, (_, index) =>
    hostOf({
      name: names[index] ?? '',
      address: addresses[index] ?? '',
      port: parsePort(ports[index] ?? ports[0] ?? ''),
      socketDirectory: lists.socketDirectory,
    }),
  );
}

function split(list: string | undefined): string[] {
  return list === undefined ? [] : list.split(',').map((item) => item.trim());
}

function mismatch(message: string): TsbkError {
  return new TsbkError('usage', message, { hint: 'Give as many of each, or a single port.' });
}

function parsePort(text: string): number {
  if (text === '') return PORT_DEFAULT;
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new TsbkError('usage', `PGPORT is ${JSON.stringify(text)}`, {
    hint: 'Give a port from 1 to 65535.',
  });
}

function hostOf(given: {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly socketDirectory: string | undefined;
}): HostSettings {
  const { name, address, port, socketDirectory } = given;
  if (address !== '') return { kind: 'tcp', name: name === '' ? address : name, address, port };
  if (name.startsWith('/')) return { kind: 'socket', directory: name, port };
  if (name !== '') return { kind: 'tcp', name, port };
  if (socketDirectory === undefined) return { kind: 'tcp', name: 'localhost', port };
  return { kind: 'socket', directory: socketDirectory, port };
}
