import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TsbkError, isTsbkError } from '../kernel/errors.ts';
import type { TargetSessionAttrs } from './connection-settings.ts';
import { openFirst, type Judged } from './open-first.ts';
import { parseConnection } from './parse-connection.ts';

type Server = 'down' | 'refuses' | 'primary' | 'standby' | 'old-primary' | 'old-standby';

describe('openFirst', () => {
  const found: readonly (readonly [TargetSessionAttrs, readonly Server[], number])[] = [
    ['any', ['down', 'standby', 'primary'], 1],
    ['primary', ['standby', 'down', 'primary'], 2],
    ['read-write', ['standby', 'primary'], 1],
    ['standby', ['primary', 'standby'], 1],
    ['read-only', ['primary', 'standby'], 1],
    ['prefer-standby', ['primary', 'standby'], 1],
    ['prefer-standby', ['down', 'primary'], 1],
    ['primary', ['old-standby', 'old-primary'], 1],
    ['standby', ['old-primary', 'old-standby'], 1],
  ];
  for (const [wanted, servers, index] of found) {
    it(`takes number ${index} of ${servers.join(', ')} for ${wanted}`, async () => {
      assert.equal((await tryHosts(wanted, servers)).opened, index);
    });
  }

  it('leaves no session open at the hosts it passed over', async () => {
    assert.deepEqual((await tryHosts('primary', ['standby', 'standby', 'primary'])).closed, [0, 1]);
  });

  it('ends with the first host that refuses the login', async () => {
    await assert.rejects(
      async () => tryHosts('any', ['down', 'refuses', 'primary']),
      (error) => isTsbkError(error, 'server-denied'),
    );
  });

  it('names every host when none will do', async () => {
    await assert.rejects(
      async () => tryHosts('primary', ['down', 'standby']),
      (error) =>
        isTsbkError(error, 'server-unreachable') &&
        /none of the 2 hosts.*host0 down.*host1:1 is not primary/.test(error.message),
    );
  });

  it('gives the error of a single host as it is', async () => {
    await assert.rejects(
      async () => tryHosts('any', ['down']),
      (error) => isTsbkError(error, 'server-unreachable') && error.message === 'host0 down',
    );
  });

  it('passes on errors that are none of the server', async () => {
    const bug = new TypeError('bug');
    await assert.rejects(
      async () => openFirst(settingsFor('any', 2), async () => Promise.reject(bug)),
      (error) => error === bug,
    );
  });
});

/** Hosts named by their index, which is also their port (the first one’s is 65535). */
async function tryHosts(
  wanted: TargetSessionAttrs,
  servers: readonly Server[],
): Promise<{ opened: number; closed: number[] }> {
  const closed: number[] = [];
  const session = await openFirst(settingsFor(wanted, servers.length), async ({ port }) => {
    const index = port % 65_535;
    const server = servers[index];
    if (server === 'down') throw new TsbkError('server-unreachable', `host${index} down`);
    if (server === 'refuses') throw new TsbkError('server-denied', `host${index} refuses`);
    return fakeSession(index, server ?? 'primary', closed);
  });
  return { opened: session.index, closed };
}

function fakeSession(index: number, server: Server, closed: number[]): Judged & { index: number } {
  const standby = server.endsWith('standby') ? 'on' : 'off';
  return {
    index,
    parameters: new Map(server.startsWith('old') ? [] : [['in_hot_standby', standby]]),
    show: async () => standby,
    close: async () => void closed.push(index),
  };
}

function settingsFor(wanted: TargetSessionAttrs, count: number) {
  const indexes = Array.from({ length: count }, (_, index) => index);
  return parseConnection(
    {
      PGHOST: indexes.map((index) => `host${index}`).join(','),
      PGPORT: indexes.map((index) => (index === 0 ? 65_535 : index)).join(','),
      PGTARGETSESSIONATTRS: wanted,
    },
    { user: 'u', home: '/' },
  );
}
