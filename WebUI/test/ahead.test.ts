import { strict as assert } from 'node:assert';
import { test } from 'node:test';

test('what is asked ahead is asked once, given once, and forgotten with the person', async () => {
  const asked: string[] = [];
  const world = globalThis as unknown as Record<string, unknown>;
  const before = [world['fetch'], world['location']];
  world['location'] = { pathname: '/ui/live/3' };
  world['fetch'] = async (path: string) => {
    asked.push(path);
    return new Response(path.endsWith('cookie') ? '{"user": {}}' : '{}');
  };
  try {
    const { forgetAhead, takeAhead } = await import('../src/core/ahead');
    for (let turn = 0; turn < 10 && asked.length < 6; turn += 1) await new Promise((resolve) => { setTimeout(resolve); });
    assert.deepEqual(asked, ['/auth/status', '/auth/me-from-cookie', '/cameras?limit=1000', '/auth/me/layouts', '/groups?limit=1000', '/events/status'].map((path) => `/api${path}`));
    // The page that asks who is here reads an answer of its own.
    assert.deepEqual(await (await takeAhead('/auth/me-from-cookie'))?.json(), { user: {} });
    assert.equal(takeAhead('/auth/me-from-cookie'), null);
    assert.equal(takeAhead('/stats'), null);
    forgetAhead();
    assert.equal(takeAhead('/groups?limit=1000'), null);
  } finally { [world['fetch'], world['location']] = before; }
});
