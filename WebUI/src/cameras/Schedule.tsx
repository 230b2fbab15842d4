import type { ReactElement } from 'react';
import { locale, t } from '../i18n';
import { days, hoursOf } from './week';

export interface ScheduleProps { value: (name: string) => unknown; set: (name: string) => (value: unknown) => void; errors: Record<string, string> }

/** When detection works, day by day, on the server's clock. */
export function Schedule({ value, set, errors }: ScheduleProps): ReactElement {
  const name = (index: number) => new Intl.DateTimeFormat(locale(), { weekday: 'long', timeZone: 'UTC' }).format(new Date(Date.UTC(2024, 0, 1 + index)));
  return (
    <div className="schedule">
      <p className="soft">{t('cameras.scheduleHint')}</p>
      {days.map((day, index) => {
        const isOn = value(`schedule_${day}`) === true;
        const start = String(value(`schedule_${day}_start`) ?? '00:00');
        const end = String(value(`schedule_${day}_end`) ?? '23:59');
        const error = errors[`schedule_${day}`] ?? errors[`schedule_${day}_start`] ?? errors[`schedule_${day}_end`];
        return (
          <div key={day} className="schedule-day">
            <label className="check"><input type="checkbox" name={`schedule_${day}`} checked={isOn} onChange={(event) => set(`schedule_${day}`)(event.target.checked)} /> {name(index)}</label>
            <input type="time" aria-label={`${name(index)}: ${t('cameras.from')}`} name={`schedule_${day}_start`} value={start} disabled={!isOn} onChange={(event) => set(`schedule_${day}_start`)(event.target.value)} />
            <input type="time" aria-label={`${name(index)}: ${t('cameras.to')}`} name={`schedule_${day}_end`} value={end} disabled={!isOn} onChange={(event) => set(`schedule_${day}_end`)(event.target.value)} />
            <span className="schedule-bar" aria-hidden="true">
              {hoursOf(index, value).map((span) => <span key={`${span.start} ${span.end}`} style={{ left: `${span.start / 14.4}%`, width: `${(span.end - span.start) / 14.4}%` }} />)}
            </span>
            {error ? <span className="field-error" role="alert">{error}</span> : null}
          </div>
        );
      })}
    </div>
  );
}
