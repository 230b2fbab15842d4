// Who is here, and which view is shown.
import { $, call, complain, busy, onSignedOut } from '/ui/api.js';
import { showCameras, hideCameras, forgetCameras } from '/ui/cameras.js';
import { showEvents, hideEvents } from '/ui/events.js';

let user = null;
let isSetup = false;
const form = $('auth-form');

function showOnly(name) {
  for (const id of ['auth', 'cameras', 'events']) $(id).hidden = id !== name;
  $('top').hidden = name === 'auth';
  for (const id of ['cameras', 'events']) {
    if (id === name) $('nav-' + id).setAttribute('aria-current', 'page'); else $('nav-' + id).removeAttribute('aria-current');
  }
}

async function route() {
  if (!user) return;
  if (location.hash === '#events') {
    hideCameras();
    showOnly('events');
    await showEvents(user);
  } else {
    hideEvents();
    showOnly('cameras');
    await showCameras(user);
  }
}

function signIn() {
  user = null;
  hideEvents();
  forgetCameras();
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
  showOnly('auth');
  form.elements.password.value = '';
  form.elements.username.focus();
}

function prepareSetup() {
  const isHere = ['localhost', '127.0.0.1', '[::1]'].includes(location.hostname);
  $('auth-title').textContent = 'Welcome';
  $('auth-hint').textContent = 'Choose the name and password of the first administrator. The password needs 8 characters or more.';
  $('auth-hint').hidden = false;
  $('auth-email').hidden = false;
  $('auth-code').hidden = isHere;
  form.elements.password.autocomplete = 'new-password';
  $('auth-submit').textContent = 'Create administrator';
}

function prepareSignIn() {
  $('auth-title').textContent = 'Sign in';
  $('auth-hint').hidden = true;
  $('auth-email').hidden = true;
  $('auth-code').hidden = true;
  form.elements.password.autocomplete = 'current-password';
  $('auth-submit').textContent = 'Sign in';
}

async function submit() {
  const value = name => form.elements[name].value;
  try {
    if (isSetup) {
      const body = { username: value('username'), password: value('password') };
      if (value('email')) body.email = value('email');
      if (value('code')) body.code = value('code').trim();
      await call('POST', '/auth/setup', body);
      isSetup = false;
    }
    await call('POST', '/auth/login', new URLSearchParams({ username: value('username'), password: value('password') }));
    user = await call('GET', '/auth/me');
  } catch (failure) {
    if (isSetup && failure.status === 403) $('auth-code').hidden = false;
    return complain($('auth-problem'), failure);
  }
  complain($('auth-problem'), null);
  form.reset();
  prepareSignIn();
  $('who').textContent = user.username;
  await route();
}

form.onsubmit = event => {
  event.preventDefault();
  busy($('auth-submit'), submit);
};
$('sign-out').onclick = async () => {
  try { await call('POST', '/auth/logout'); } catch { /* The page forgets the user either way; the cookies expire. */ }
  signIn();
};
onSignedOut(signIn);
addEventListener('hashchange', route);

try {
  const status = await call('GET', '/auth/status');
  isSetup = status.setup_required;
  const session = isSetup ? null : await call('GET', '/auth/me-from-cookie');
  if (session) {
    user = session.user;
    $('who').textContent = user.username;
    await route();
  } else {
    if (isSetup) prepareSetup(); else prepareSignIn();
    signIn();
  }
} catch (failure) {
  prepareSignIn();
  showOnly('auth');
  complain($('auth-problem'), failure);
}
