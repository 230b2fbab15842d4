import { locale } from '../i18n';
import { offsetAt, zone } from '../core/time';
import { DAY, HOUR, MINUTE, pixelSpans, SECOND, ticks, tickStep, xOf, type Span, type View } from './geometry';
import type { Facts } from './lanes';

export const RULER = 28;
export const LANE = 36;

export interface Picture {
  view: View; width: number; height: number; cameras: readonly number[]; facts: Facts | null; position: number; now: number; hover: number | null; selection: Span | null; laneHeight: number;
  /** Written into the lanes where there is no room for them beside. */
  names: readonly string[] | null;
}

function colours(element: Element): Record<string, string> {
  const style = getComputedStyle(element);
  const names = ['--surface', '--raised', '--sunken', '--edge', '--text', '--soft', '--accent', '--footage', '--footage-soft', '--motion', '--manual', '--bad', '--bad-ground', '--rec'];
  return Object.fromEntries(names.map((name) => [name.slice(2), style.getPropertyValue(name).trim()]));
}

const formats = new Map<string, Intl.DateTimeFormat>();
function label(time: number, step: number): string {
  const options: Intl.DateTimeFormatOptions = step >= 365 * DAY ? { year: 'numeric' } : step >= 30 * DAY ? { month: 'short', year: 'numeric' } : step >= DAY ? { weekday: 'short', day: 'numeric', month: 'short' }
    : step >= MINUTE ? { hour: '2-digit', minute: '2-digit' } : { hour: '2-digit', minute: '2-digit', second: '2-digit', ...(step < SECOND ? { fractionalSecondDigits: 1 as const } : {}) };
  const isMidnight = step < DAY && (time + offsetAt(time)) % DAY === 0;
  const key = `${step >= DAY ? step : step >= MINUTE ? 1 : step >= SECOND ? 0 : -1}|${isMidnight}|${locale()}|${zone() ?? ''}`;
  let format = formats.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat(locale(), { ...(isMidnight ? { day: 'numeric', month: 'short' } : options), timeZone: zone() });
    formats.set(key, format);
  }
  return format.format(time);
}

/** Draws the timeline: a ruler, and for every camera its footage, why some is missing, how much moved, and events. */
export function paint(canvas: HTMLCanvasElement, picture: Picture): void {
  const context = canvas.getContext('2d');
  if (!context) return;
  const { view, width, height, cameras, facts, position, now, hover, selection, laneHeight } = picture;
  const ratio = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const colour = colours(canvas);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.fillStyle = colour['surface']!;
  context.fillRect(0, 0, width, height);

  const step = tickStep(view, width, step0(view, width));
  const minor = tickStep(view, width, 14);
  context.strokeStyle = colour['edge']!;
  context.lineWidth = 1;
  context.beginPath();
  for (const time of ticks(view, minor, offsetAt)) {
    const x = Math.round(xOf(view, width, time)) + 0.5;
    context.moveTo(x, RULER - 5);
    context.lineTo(x, RULER);
  }
  const marks = ticks(view, step, offsetAt);
  for (const time of marks) {
    const x = Math.round(xOf(view, width, time)) + 0.5;
    context.moveTo(x, RULER - 9);
    context.lineTo(x, height);
  }
  context.stroke();
  context.fillStyle = colour['soft']!;
  context.font = '11px system-ui, sans-serif';
  context.textBaseline = 'middle';
  context.textAlign = 'center';
  for (const time of marks) {
    const x = xOf(view, width, time);
    if (x > 24 && x < width - 24) context.fillText(label(time, step), x, 11);
  }

  cameras.forEach((camera, row) => {
    const top = RULER + row * laneHeight + 4;
    const tall = laneHeight - 8;
    context.fillStyle = colour['sunken']!;
    context.fillRect(0, top, width, tall);
    const lane = facts?.lanes.get(camera);
    if (!lane) return;
    context.fillStyle = colour['bad-ground']!;
    for (const rect of pixelSpans(lane.gaps.filter((gap) => gap.cause !== 'not_recording' && gap.cause !== 'no_motion' && gap.cause !== 'unknown'), view, width)) context.fillRect(rect.x, top, rect.width, tall);
    // Where footage is only known by shares, stretches with little of it are fainter.
    for (const [isFull, name] of [[false, 'footage-soft'], [true, 'footage']] as const) {
      context.fillStyle = colour[name]!;
      for (const rect of pixelSpans(lane.footage.filter((share) => (share.value > 0.95) === isFull), view, width)) context.fillRect(rect.x, top, rect.width, tall);
    }
    context.fillStyle = colour['motion']!;
    for (const share of lane.motion) {
      const [rect] = pixelSpans([share], view, width);
      if (!rect) continue;
      const high = Math.max(3, Math.min(1, Math.sqrt(share.value)) * tall * 0.62);
      context.fillRect(rect.x, top + tall - high, rect.width, high);
    }
    if (lane.marks) {
      for (const mark of lane.marks) {
        if (mark.end < view.start || mark.start > view.end) continue;
        const x = xOf(view, width, mark.start);
        context.fillStyle = colour[mark.kind === 'motion' ? 'motion' : 'manual']!;
        if (mark.isPicture) {
          context.beginPath();
          context.arc(x, top + 6, 3.5, 0, 7);
          context.fill();
        } else context.fillRect(x, top, Math.max(2, xOf(view, width, mark.end) - x), 4);
      }
    } else {
      const most = Math.max(1, ...lane.counts.map((share) => share.value));
      context.fillStyle = colour['motion']!;
      for (const share of lane.counts) {
        const [rect] = pixelSpans([share], view, width);
        if (rect) context.fillRect(rect.x, top, rect.width, 2 + (share.value / most) * 4);
      }
    }
  });

  // The future.
  const nowX = xOf(view, width, now);
  if (nowX < width) {
    context.fillStyle = colour['surface']!;
    context.globalAlpha = 0.75;
    context.fillRect(Math.max(0, nowX), RULER, width - Math.max(0, nowX), height - RULER);
    context.globalAlpha = 1;
    if (nowX >= 0) {
      context.fillStyle = colour['rec']!;
      context.fillRect(nowX, RULER - 9, 1.5, height - RULER + 9);
    }
  }
  if (picture.names) {
    context.textAlign = 'left';
    context.lineWidth = 3;
    context.lineJoin = 'round';
    context.strokeStyle = colour['surface']!;
    context.fillStyle = colour['text']!;
    picture.names.forEach((name, row) => {
      const middle = RULER + (row + 0.5) * laneHeight;
      context.strokeText(name, 6, middle, width / 2);
      context.fillText(name, 6, middle, width / 2);
    });
    context.lineWidth = 1;
  }
  if (selection) {
    const from = xOf(view, width, selection.start);
    const to = xOf(view, width, selection.end);
    context.fillStyle = colour['accent']!;
    context.globalAlpha = 0.25;
    context.fillRect(from, 0, to - from, height);
    context.globalAlpha = 1;
    context.fillRect(from - 1.5, 0, 3, height);
    context.fillRect(to - 1.5, 0, 3, height);
  }
  if (hover !== null) {
    context.fillStyle = colour['soft']!;
    context.fillRect(xOf(view, width, hover), 0, 1, height);
  }
  const x = xOf(view, width, position);
  if (x >= -8 && x <= width + 8) {
    context.fillStyle = colour['text']!;
    context.fillRect(x - 1, 0, 2, height);
    context.beginPath();
    context.moveTo(x - 7, 0);
    context.lineTo(x + 7, 0);
    context.lineTo(x + 7, 8);
    context.lineTo(x, 16);
    context.lineTo(x - 7, 8);
    context.closePath();
    context.fill();
  }
}

/** Pixels that a label needs: longer where dates are written. */
function step0(view: View, width: number): number { return (view.end - view.start) / Math.max(1, width) * 110 > HOUR * 12 ? 110 : 76; }
