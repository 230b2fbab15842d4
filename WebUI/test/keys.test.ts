import { strict as assert } from 'node:assert';
import { test } from 'node:test';

class FakeTarget { constructor(private readonly matches: string[]) {} closest(selector: string): object | null { return this.matches.some((one) => selector.split(', ').some((part) => part.startsWith(one))) ? {} : null; } }
Object.assign(globalThis as unknown as Record<string, unknown>, {
  Element: FakeTarget, document: { documentElement: { dataset: {} }, addEventListener: () => {} }, addEventListener: () => {}, localStorage: { getItem: () => null, setItem: () => {} },
});
const press = (key: string, on: string[] = [], modifiers: Partial<KeyboardEvent> = {}) => ({ key, target: new FakeTarget(on), ...modifiers }) as unknown as KeyboardEvent;

test('keys belong to the page unless a field, a dialog or the browser has them', async () => {
  const { shortcut } = await import('../src/core/keys');
  assert.equal(shortcut(press('J')), 'j');
  assert.equal(shortcut(press('ArrowLeft')), 'ArrowLeft');
  assert.equal(shortcut(press('j', ['textarea'])), null);
  assert.equal(shortcut(press('j', ['select'])), null);
  assert.equal(shortcut(press('j', ['dialog'])), null);
  assert.equal(shortcut(press('j', ['dialog']), { inDialogs: true }), 'j');
  assert.equal(shortcut(press('ArrowLeft', ['input[type="range"]'])), null);
  for (const modifier of ['ctrlKey', 'metaKey', 'altKey', 'isComposing']) assert.equal(shortcut(press('j', [], { [modifier]: true })), null, modifier);
});

test('single letters and signs can be switched off; named keys stay', async () => {
  const { shortcut } = await import('../src/core/keys');
  const { prefs, setPref } = await import('../src/core/prefs');
  assert.equal(prefs.value.shortcuts, true);
  setPref('shortcuts', false);
  assert.deepEqual(['j', ',', '+', ' ', 'Escape', 'Delete'].map((key) => shortcut(press(key))), [null, null, null, ' ', 'Escape', 'Delete']);
  setPref('shortcuts', true);
});
