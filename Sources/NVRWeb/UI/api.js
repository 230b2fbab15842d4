// Calls of the API, and the small tools every view uses.

export const $ = id => document.getElementById(id);

/** Makes an element: properties, then children; texts stay texts. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith('aria-')) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

export class Failure extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

/** The text of an error body, whichever of its two forms it has. */
function reason(status, body) {
  const detail = body?.detail;
  if (typeof detail === 'string') return detail;
  if (Array.isArray(detail)) {
    return detail.map(({ loc, msg }) => `${(loc ?? []).slice(1).join('.')}: ${msg.replace(/^Value error, /, '')}`).join('\n');
  }
  return `The server answered ${status}.`;
}

let signedOut = () => {};
export const onSignedOut = callback => { signedOut = callback; };

/** One call. `body`: an object becomes JSON, a URLSearchParams a form. Answers the parsed body, null when there is none. */
export async function call(method, path, body) {
  const options = { method, credentials: 'same-origin', headers: {} };
  if (body instanceof URLSearchParams) options.body = body;
  else if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers['Content-Type'] = 'application/json';
  }
  let response;
  try {
    response = await fetch('/api' + path, options);
  } catch {
    throw new Failure(0, 'The server cannot be reached.');
  }
  const text = response.status === 204 ? '' : await response.text();
  let parsed = null;
  try { parsed = text ? JSON.parse(text) : null; } catch { /* A body that is not JSON has nothing to say: the status does. */ }
  if (!response.ok) {
    if (response.status === 401 && !path.startsWith('/auth/')) signedOut();
    throw new Failure(response.status, reason(response.status, parsed));
  }
  return parsed;
}

let toastTimer;
export function toast(text) {
  const element = $('toast');
  element.textContent = text;
  element.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { element.hidden = true; }, 5000);
}

/** Shows why something failed in the paragraph meant for it. */
export function complain(element, failure) {
  element.textContent = failure ? failure.message : '';
  element.hidden = !failure;
}

/** Runs an action of a button that must not be pressed twice. */
export async function busy(button, action) {
  button.disabled = true;
  try { return await action(); } finally { button.disabled = false; }
}

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
export const when = text => text ? clock.format(new Date(text)) : '';
