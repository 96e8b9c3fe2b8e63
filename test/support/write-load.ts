import type { Server } from './postgres.ts';

/** A client that commits small transactions one after the other until it is told to stop. */
export function startWriteLoad(server: Server): { stop(): Promise<number> } {
  let running = true;
  let committed = 0;
  const work = (async () => {
    const session = await server.client();
    await session.query('create table if not exists load (n bigint primary key, pad text)');
    while (running) {
      committed += 1;
      await session.query("insert into load values ($1, repeat('x', 200))", [committed]);
      await session.query('update load set pad = md5(n::text) where n = $1', [committed >> 1]);
    }
    await session.end();
  })();
  return {
    stop: async () => {
      running = false;
      await work;
      return committed;
    },
  };
}
