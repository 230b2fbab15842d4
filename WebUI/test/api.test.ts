import { strict as assert } from 'node:assert';
import { mock, test } from 'node:test';

const world = globalThis as unknown as Record<string, unknown>;
Object.assign(world, {
  document: { addEventListener: () => {}, querySelector: () => null, documentElement: { dataset: {} } }, addEventListener: () => {}, location: { pathname: '/ui/profile' },
  localStorage: { getItem: () => null, setItem: () => {} },
});

test('a question to a server that stands still is given up after a while; what changes something is not, and what nobody wants any more is no loss', async () => {
  const before = world['fetch'];
  // Never answers; gives up when it is told to.
  world['fetch'] = (_: string, { signal }: { signal: AbortSignal }) => new Promise((__, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason));
  });
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const { api, Failure, PATIENCE } = await import('../src/core/api');
    const { connection } = await import('../src/core/connection');
    const ended: string[] = [];
    const failures: unknown[] = [];
    const watch = (name: string, call: Promise<unknown>) => { call.then(() => ended.push(name), (problem: unknown) => { ended.push(name); failures.push(problem); }); };
    const stop = new AbortController();
    watch('post', api.post('/cameras', {}));
    watch('mine', api.get('/timeline', {}, stop.signal));
    stop.abort();
    await Promise.resolve();
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
    assert.deepEqual(ended, ['mine']);
    assert.equal(connection.isUp.value, true);
    watch('get', api.get('/stats'));
    mock.timers.tick(PATIENCE - 1);
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
    assert.deepEqual(ended, ['mine']);
    mock.timers.tick(1);
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
    assert.deepEqual(ended, ['mine', 'get']);
    assert.ok(failures[1] instanceof Failure && failures[1].status === 0);
    assert.equal(connection.isUp.value, false);
  } finally {
    mock.timers.reset();
    world['fetch'] = before;
  }
});
