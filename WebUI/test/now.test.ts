import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { hearClock, present } from '../src/core/now';

const told = (ahead: number): string => new Date(Date.now() + ahead).toUTCString();
const off = (): number => present() - Date.now();

test('a clock that is right, or hardly wrong, is believed', () => {
  for (const ahead of [0, -3000, 3000]) {
    hearClock(told(ahead));
    assert.equal(off(), 0, String(ahead));
  }
});

test('where the clock of this machine is wrong, the present is the server\'s, and steady', () => {
  for (const ahead of [600_000, -86_400_000]) {
    hearClock(told(ahead));
    const first = off();
    assert.ok(Math.abs(first - ahead) < 1500, String(first));
    hearClock(told(ahead - 1200));
    assert.ok(Math.abs(off() - first) < 20);
    hearClock(told(ahead + 20_000));
    assert.ok(Math.abs(off() - ahead - 20_000) < 1500);
  }
});

test('what is no time changes nothing, and a clock that was set right is believed again', () => {
  hearClock(told(60_000));
  for (const text of [null, '', 'soon']) hearClock(text);
  assert.ok(off() > 50_000);
  hearClock(told(0));
  assert.equal(off(), 0);
});
