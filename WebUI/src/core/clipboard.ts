/** Copies a text. Pages without HTTPS have no clipboard of their own: there a selection is copied as by hand. */
export async function copyText(text: string): Promise<void> {
  const clipboard = navigator.clipboard as Clipboard | undefined;
  if (clipboard) return clipboard.writeText(text);
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'visually-hidden';
  // Inside of an open dialog: elsewhere nothing can be selected while it is open.
  (document.querySelector('dialog[open]:last-of-type') ?? document.body).append(area);
  area.select();
  const isCopied = document.execCommand('copy');
  area.remove();
  if (!isCopied) throw new Error(text);
}
