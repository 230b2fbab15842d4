import { Store } from '../core/store';

/** Open dialogs, the uppermost last. What lies outside of it can neither be seen nor pressed, so that messages have to be inside. */
export const layers = new Store<readonly HTMLElement[]>([]);

/** Notes a dialog as the uppermost, until the answer is called. */
export function enterLayer(element: HTMLElement): () => void {
  layers.update((old) => [...old, element]);
  return () => layers.update((old) => old.filter((one) => one !== element));
}
