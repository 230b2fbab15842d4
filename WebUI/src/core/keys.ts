import { prefs } from './prefs';

/** What types by itself, and keeps its keys. */
const TYPING = 'input:not([type="checkbox"], [type="range"]), select, textarea';

/**
 * The key of a shortcut, letters small; null when it belongs to a field, to a dialog, or to the browser.
 *
 * Keys of a single character can be switched off (WCAG 2.1.4): who speaks to the machine presses them without knowing.
 */
export function shortcut(event: KeyboardEvent, options: { inDialogs?: boolean } = {}): string | null {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return null;
  const { target } = event;
  if (target instanceof Element) {
    if (target.closest(TYPING) || (!options.inDialogs && target.closest('dialog'))) return null;
    // A slider has the arrows.
    if (event.key.startsWith('Arrow') && target.closest('input[type="range"]')) return null;
  }
  if (event.key.length !== 1 || event.key === ' ') return event.key;
  return prefs.value.shortcuts ? event.key.toLowerCase() : null;
}
