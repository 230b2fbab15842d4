import { useEffect, useMemo, useRef, useState, type PointerEvent, type ReactElement } from 'react';

export interface Series { label: string; className: string; values: (number | null)[] }

export interface PlotProps {
  label: string; times: number[]; series: Series[]; format: (value: number) => string; formatTime: (time: number) => string; height?: number; most?: number;
}

function useWidth(): [React.RefObject<HTMLDivElement>, number] {
  const frame = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => { if (entry) setWidth(Math.floor(entry.contentRect.width)); });
    if (frame.current) observer.observe(frame.current);
    return () => observer.disconnect();
  }, []);
  return [frame, width];
}

/** A round number not below a value: 1, 2 or 5 times a power of ten. */
export function roundUp(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value * 0.999) ?? value;
}

/** Lines over time, with the values under the pointer. */
export function Plot({ label, times, series, format, formatTime, height = 150, most }: PlotProps): ReactElement {
  const [frame, width] = useWidth();
  const [at, setAt] = useState<number | null>(null);
  const top = most ?? roundUp(Math.max(0, ...series.flatMap((one) => one.values.map((value) => value ?? 0))));
  // Room for the longest number beside the lines, at 11 pixels.
  const left = Math.max(34, ...[0, 0.5, 1].map((share) => format(top * share).length * 6.2 + 10));
  const bottom = 20;
  const inner = { width: Math.max(1, width - left - 6), height: height - bottom - 8 };
  const first = times[0] ?? 0;
  const last = times[times.length - 1] ?? 1;
  const x = (time: number) => left + ((time - first) / Math.max(1, last - first)) * inner.width;
  const y = (value: number) => 8 + (1 - Math.min(1, value / top)) * inner.height;
  const paths = useMemo(() => series.map((one) => {
    let text = '';
    let isOn = false;
    one.values.forEach((value, index) => {
      if (value === null) {
        isOn = false;
        return;
      }
      text += `${isOn ? 'L' : 'M'}${x(times[index]!).toFixed(1)} ${y(value).toFixed(1)}`;
      isOn = true;
    });
    return text;
    // The functions above depend on nothing else.
    // eslint-disable-next-line
  }), [series, times, width, top]);
  const point = (event: PointerEvent) => {
    const place = event.clientX - event.currentTarget.getBoundingClientRect().left;
    const time = first + ((place - left) / inner.width) * (last - first);
    let best = 0;
    times.forEach((one, index) => { if (Math.abs(one - time) < Math.abs(times[best]! - time)) best = index; });
    setAt(times.length > 0 ? best : null);
  };
  const newest = series.map((one) => one.values.filter((value) => value !== null).pop() ?? null);
  return (
    <div className="plot" ref={frame}>
      <p className="plot-legend">
        {series.map((one, index) => {
          const value = at === null ? newest[index] : one.values[at];
          return <span key={one.label}><i className={one.className} aria-hidden="true" />{one.label} <strong>{value == null ? '–' : format(value)}</strong></span>;
        })}
        {at !== null && times[at] !== undefined ? <span className="soft">{formatTime(times[at]!)}</span> : null}
      </p>
      {width > 0 ? (
        <svg width={width} height={height} role="img" aria-label={`${label}: ${series.map((one, index) => `${one.label} ${newest[index] == null ? '–' : format(newest[index]!)}`).join(', ')}`} onPointerMove={point} onPointerLeave={() => setAt(null)}>
          {[0, 0.5, 1].map((share) => (
            <g key={share}><line className="grid" x1={left} x2={width - 6} y1={y(top * share)} y2={y(top * share)} /><text x={left - 6} y={y(top * share) + 4} textAnchor="end">{format(top * share)}</text></g>
          ))}
          {times.length > 1 ? [0, 0.5, 1].map((share) => (
            <text key={share} x={left + inner.width * share} y={height - 4} textAnchor={share === 0 ? 'start' : share === 1 ? 'end' : 'middle'}>{formatTime(first + (last - first) * share)}</text>
          )) : null}
          {series.map((one, index) => <path key={one.label} className={`line ${one.className}`} d={paths[index]} />)}
          {at !== null && times[at] !== undefined ? <line className="cursor" x1={x(times[at]!)} x2={x(times[at]!)} y1={8} y2={8 + inner.height} /> : null}
        </svg>
      ) : null}
    </div>
  );
}

/** Bars side by side. */
export function Bars({ label, bars, height = 150 }: { label: string; bars: { label: string; parts: { className: string; value: number }[]; text: string }[]; height?: number }): ReactElement {
  const [frame, width] = useWidth();
  const top = roundUp(Math.max(1, ...bars.map((bar) => bar.parts.reduce((sum, part) => sum + part.value, 0))));
  const left = 34;
  const inner = { width: Math.max(1, width - left - 4), height: height - 28 };
  const step = inner.width / Math.max(1, bars.length);
  return (
    <div className="plot" ref={frame}>
      {width > 0 ? (
        <svg width={width} height={height} role="img" aria-label={`${label}: ${bars.map((bar) => bar.text).join('; ')}`}>
          {[0, 0.5, 1].map((share) => (
            <g key={share}><line className="grid" x1={left} x2={width - 4} y1={8 + (1 - share) * inner.height} y2={8 + (1 - share) * inner.height} /><text x={left - 6} y={12 + (1 - share) * inner.height} textAnchor="end">{top * share}</text></g>
          ))}
          {bars.map((bar, index) => {
            let base = 0;
            return (
              <g key={index}>
                <title>{bar.text}</title>
                {bar.parts.map((part) => {
                  const tall = (part.value / top) * inner.height;
                  base += tall;
                  return <rect key={part.className} className={`bar ${part.className}`} x={left + index * step + step * 0.14} width={step * 0.72} y={8 + inner.height - base} height={tall} rx={Math.min(3, step * 0.2)} />;
                })}
                {index % Math.ceil(bars.length / Math.max(2, Math.floor(width / 60))) === 0 ? <text x={left + (index + 0.5) * step} y={height - 4} textAnchor="middle">{bar.label}</text> : null}
              </g>
            );
          })}
        </svg>
      ) : null}
    </div>
  );
}

/** How full something is. */
export function Meter({ value, label }: { value: number; label: string }): ReactElement {
  const share = Math.min(100, Math.max(0, value));
  return <div className="meter" role="meter" aria-label={label} aria-valuenow={Math.round(share)} aria-valuemin={0} aria-valuemax={100}><span className={share > 92 ? 'bad' : share > 80 ? 'warn' : ''} style={{ width: `${share}%` }} /></div>;
}
