// Settings of a camera that go together so that nothing is ever recorded, though it looks as if it were. Pure.
import { days } from './week';

/** What is wrong, as `cameras.<name>` says it; null when something may be recorded. What is switched off on purpose is not wrong. */
export type Idle = 'noDetection' | 'noHours';

/** As the server reads these settings (`CameraPlan`). */
export function recordsNothing(value: (name: string) => unknown): Idle | null {
  if (value('is_active') === false || value('recording_mode') !== 'Motion Triggered') return null;
  const mode = String(value('detect_motion_mode') ?? '').toLowerCase();
  const engine = value('detect_engine');
  if (['off', 'never', 'disabled', 'none'].includes(mode) || (engine !== undefined && engine !== null && engine !== 'OpenCV')) return 'noDetection';
  if (mode.includes('schedule') && days.every((day) => value(`schedule_${day}`) === false)) return 'noHours';
  return null;
}
