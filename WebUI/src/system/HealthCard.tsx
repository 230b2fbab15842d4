import { useState, type ReactElement } from 'react';
import { page } from '../core/api';
import { causeOfHealth, kindOfHealth, problemText, useHealth, type HealthEvent } from '../core/health';
import { useQuery } from '../core/query';
import { said } from '../core/said';
import type { Camera } from '../core/types';
import { showDateTime, showDuration } from '../core/time';
import { t } from '../i18n';
import { Link } from '../app/router';
import { Button } from '../ui/Button';
import { Badge, Card } from '../ui/Bits';
import { attempt } from '../ui/Toasts';

const PAGE = 12;

/** What is wrong with the server and its cameras, and what was. */
export function HealthCard({ cameras }: { cameras: Camera[] }): ReactElement {
  const problems = useHealth()?.problems ?? [];
  const newest = useQuery<HealthEvent[]>(`/health/events?limit=${PAGE}`, 20_000).data;
  const [older, setOlder] = useState<HealthEvent[]>([]);
  const [isAll, setAll] = useState(false);
  const events = [...newest ?? [], ...older.filter((event) => event.id < (newest?.[newest.length - 1]?.id ?? Infinity))];
  const more = () => attempt(async () => {
    const { items } = await page<HealthEvent>('/health/events', { before: events[events.length - 1]!.id, limit: 50 });
    setOlder((held) => [...held, ...items]);
    if (items.length < 50) setAll(true);
  });
  return (
    <Card title={t('health.title')}>
      {problems.length > 0 ? <ul className="plain-list" id="health-problems">{problems.map((problem) => <li key={`${problem.kind} ${problem.cause ?? ''}`} className="problem">{problemText(problem)}</li>)}</ul> : <p><Badge kind="good">{t('health.good')}</Badge></p>}
      {events.length > 0 ? (
        <ul className="plain-list health-events" id="health-events">
          {events.map((event) => {
            const camera = event.camera_id === null ? null : cameras.find((one) => one.id === event.camera_id);
            const name = event.camera_id === null ? null : camera?.name ?? t('events.goneCamera', { id: event.camera_id });
            const length = event.end ? (Date.parse(event.end) - Date.parse(event.start)) / 1000 : null;
            return (
              <li key={event.id}>
                <span className={`dot ${event.end ? '' : 'bad'}`} />
                <div>
                  <strong>{kindOfHealth(event.kind)}</strong>{name ? <> · {camera ? <Link to={`/replay?cameras=${camera.id}&t=${Math.floor(Date.parse(event.start) / 1000)}`}>{name}</Link> : name}</> : null}
                  <p className="soft">{[showDateTime(event.start), length === null ? t('health.goesOn') : length >= 1 ? showDuration(length) : null, causeOfHealth(event.cause), said(event, 'detail')].filter(Boolean).join(' · ')}</p>
                </div>
              </li>
            );
          })}
        </ul>
      ) : null}
      {!isAll && events.length >= PAGE ? <div className="row"><Button small onClick={more}>{t('action.more')}</Button></div> : null}
    </Card>
  );
}
