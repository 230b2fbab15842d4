import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { recordsNothing } from '../src/cameras/lint';
import { days } from '../src/cameras/week';

const camera = { is_active: true, recording_mode: 'Motion Triggered', detect_motion_mode: 'Always', detect_engine: 'OpenCV', ...Object.fromEntries(days.map((day) => [`schedule_${day}`, true])) };
const found = (changes: Record<string, unknown>) => recordsNothing((name) => ({ ...camera, ...changes } as Record<string, unknown>)[name]);

test('settings that record something are not complained of', () => {
  assert.equal(found({}), null);
  assert.equal(found({ detect_motion_mode: 'Working Schedule' }), null);
  assert.equal(found({ recording_mode: 'Continuous', detect_motion_mode: 'Off' }), null);
  // A list may leave fields out.
  assert.equal(found({ detect_engine: undefined, schedule_monday: undefined, detect_motion_mode: 'Working Schedule' }), null);
  assert.equal(found({ detect_engine: null }), null);
});

test('what is switched off on purpose is not complained of', () => {
  assert.equal(found({ recording_mode: 'Off', detect_motion_mode: 'Off' }), null);
  assert.equal(found({ is_active: false, detect_motion_mode: 'Off' }), null);
});

test('recording on motion that nothing looks for is told', () => {
  for (const mode of ['Off', 'off', 'Never', 'Disabled', 'None']) assert.equal(found({ detect_motion_mode: mode }), 'noDetection', mode);
  assert.equal(found({ detect_engine: 'ONVIF Edge' }), 'noDetection');
  const none = Object.fromEntries(days.map((day) => [`schedule_${day}`, false]));
  assert.equal(found({ detect_motion_mode: 'Working Schedule', ...none }), 'noHours');
  assert.equal(found({ detect_motion_mode: 'Working Schedule', ...none, schedule_sunday: true }), null);
  assert.equal(found({ ...none }), null);
});
