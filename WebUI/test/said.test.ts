import { strict as assert } from 'node:assert';
import { test } from 'node:test';

// The modules look at the page when they are loaded: there is none here.
const world = globalThis as unknown as Record<string, unknown>;
world['addEventListener'] = () => {};
Object.defineProperty(globalThis, 'navigator', { value: { languages: ['en-US'] }, configurable: true });
world['localStorage'] = { getItem: () => null, setItem: () => {} };
world['document'] = { documentElement: { dataset: {}, lang: '' }, addEventListener: () => {} };

const nested = {
  reason: 'unreachable: the camera cannot be reached: the name door does not resolve', reason_code: 'status_unreachable',
  reason_parameters: {
    reason: {
      text: 'the camera cannot be reached: the name door does not resolve', code: 'camera_unreachable',
      parameters: { detail: { text: 'the name door does not resolve', code: 'name_unresolved', parameters: { host: 'door' } } },
    },
  },
};

test('what the server says is said in the language that is shown, sentences within sentences too', async () => {
  const { said } = await import('../src/core/said');
  const { chooseLanguage } = await import('../src/i18n');
  assert.equal(said(nested, 'reason'), 'The camera cannot be reached: there is no address of the name door');
  await chooseLanguage('de');
  assert.equal(said(nested, 'reason'), 'Die Kamera ist nicht erreichbar: zum Namen door gibt es keine Adresse');
  assert.equal(said({ detail: 'x', detail_code: 'camera_answers', detail_parameters: { answer: '418 {answer}' } }, 'detail'), 'Die Kamera antwortet 418 {answer}');
  await chooseLanguage('en');
});

test('what is not known is shown as the server says it', async () => {
  const { said } = await import('../src/core/said');
  for (const code of [undefined, null, 5, 'roof_leaks', 'toString', '__proto__']) assert.equal(said({ reason: 'as it is', reason_code: code }, 'reason'), 'as it is');
  // A newer server may have other values in a sentence.
  for (const parameters of [null, undefined, 'x', [], { other: 'y' }, { phase: null }, { phase: 5 }]) assert.equal(said({ reason: 'as it is', reason_code: 'camera_timeout', reason_parameters: parameters }, 'reason'), 'as it is');
  for (const answer of [{}, { reason: null }, { reason: 7 }]) assert.equal(said(answer, 'reason'), null);
});

test('complaints about fields are told by their type and limit', async () => {
  const { failureOf } = await import('../src/core/api');
  const failure = failureOf(422, { detail: [
    { type: 'string_too_long', loc: ['body', 'name'], msg: 'String should have at most 100 characters', ctx: { max_length: 100 } },
    { type: 'value_error', loc: ['body', 'rtsp_url'], msg: 'Value error, URL must contain a valid host', ctx: { error: {} }, msg_code: 'url_host', msg_parameters: null },
    { type: 'roof_leaks', loc: ['body', 'roof'], msg: 'Value error, it leaks' },
    { type: 'less_than_equal', loc: ['body', 'count'], msg: 'Input should be small' },
  ] });
  assert.deepEqual(failure.fields, { name: 'At most 100 characters.', rtsp_url: 'The address needs a valid host.', roof: 'it leaks', count: 'Input should be small' });
  assert.equal(failureOf(409, { detail: 'Group name already exists', detail_code: 'group_name_taken', detail_parameters: null }).words, 'There is a group of this name already.');
  assert.equal(failureOf(409, { detail: 'something else' }).words, 'something else');
});

test('lists of texts are said like single ones, and an older server’s as they are', async () => {
  const { saidList } = await import('../src/core/said');
  const { chooseLanguage } = await import('../src/i18n');
  const answer = { notes: ['1/a.mp4: the row has no file', 'x'], notes_said: [
    { text: '1/a.mp4: the row has no file', code: 'sync_file_missing', parameters: { path: '1/a.mp4' } }, { text: 'x', code: null, parameters: null },
  ] };
  await chooseLanguage('de');
  assert.deepEqual(saidList(answer, 'notes'), ['1/a.mp4: Die Datei fehlt', 'x']);
  assert.deepEqual(saidList({ notes: ['as it is'] }, 'notes'), ['as it is']);
  assert.deepEqual(saidList({}, 'notes'), []);
  await chooseLanguage('en');
});
