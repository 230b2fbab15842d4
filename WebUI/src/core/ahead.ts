// What the page asks the server at its begin, asked while the rest of the program is still read: a script of its own, which comes first.

/** Milliseconds for which an answer may wait for whoever asks. */
const FRESH = 4000;

interface Asked { answer: Promise<Response>; at: number }
const asked = new Map<string, Asked>();

export const jsonHeaders: Readonly<Record<string, string>> = { Accept: 'application/json' };

function ask(path: string): Promise<Response> {
  const answer = fetch(`/api${path}`, { headers: jsonHeaders, credentials: 'same-origin' });
  // Whoever takes the answer hears of it; nobody may.
  answer.catch(() => {});
  asked.set(path, { answer, at: performance.now() });
  return answer;
}

/** The answer to a question that has been asked already; it is given once, and only as long as it is new. */
export function takeAhead(path: string): Promise<Response> | null {
  const found = asked.get(path);
  asked.delete(path);
  return found && performance.now() - found.at < FRESH ? found.answer : null;
}

/** What was asked for one person is not for the next. */
export function forgetAhead(): void { asked.clear(); }

/** Asks who is here, and, for somebody, what the page at this place shows first. */
async function askAhead(place: string): Promise<void> {
  void ask('/auth/status');
  const answer = (await ask('/auth/me-from-cookie')).clone();
  if (!answer.ok || await answer.json() === null) return;
  if (/^\/ui\/live(\/|$)/.test(place)) for (const path of ['/cameras?limit=1000', '/auth/me/layouts', '/groups?limit=1000', '/events/status']) void ask(path);
}

// Without a server the page asks again, and tells.
if (globalThis.location) askAhead(location.pathname).catch(() => {});
