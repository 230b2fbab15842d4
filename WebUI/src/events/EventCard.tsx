import { memo, useEffect, useState, type ReactElement } from 'react';
import type { NVREvent } from '../core/types';
import { showBytes, showDateTime, showDuration, showMoment, showNumber } from '../core/time';
import { present } from '../core/now';
import { t, words } from '../i18n';
import { Badge } from '../ui/Bits';
import { Icon } from '../ui/Icon';

/** Seconds that an event lasts, or has lasted until now. */
export const lengthOf = (event: NVREvent): number => ((event.timestamp_end ? Date.parse(event.timestamp_end) : present()) - Date.parse(event.timestamp_start)) / 1000;
export const kindName = (event: NVREvent): string => event.type === 'snapshot' ? t('events.snapshot') : words(`events.${event.event_type}`, event.event_type);

const STEPS = 6;

/** Pictures from the whole length of an event, one after the other, while it is pointed at. */
function usePreview(event: NVREvent | undefined, isOn: boolean): string | null {
  const [step, setStep] = useState(-1);
  useEffect(() => {
    if (!isOn || !event || event.type !== 'video') {
      setStep(-1);
      return undefined;
    }
    const timer = setInterval(() => setStep((old) => (old + 1) % STEPS), 700);
    return () => clearInterval(timer);
  }, [isOn, event]);
  if (step < 0 || !event) return null;
  const start = Date.parse(event.timestamp_start) / 1000;
  return `/cameras/${event.camera_id}/preview.jpg?width=320&t=${(start + (lengthOf(event) * (step + 0.5)) / STEPS).toFixed(1)}`;
}

export interface EventCardProps {
  event: NVREvent | undefined; camera: string; index: number; isChosen: boolean; isCurrent: boolean; isGone: boolean; view: 'grid' | 'list'; canChoose: boolean;
  open: (index: number) => void; choose: (index: number, isOn: boolean, isRange: boolean) => void; focus: (index: number) => void;
}

export const EventCard = memo(function EventCard(props: EventCardProps): ReactElement {
  const { event, camera, index, isChosen, isCurrent, isGone, view, canChoose, open, choose, focus } = props;
  const [isHovered, setHovered] = useState(false);
  const [isBroken, setBroken] = useState(false);
  const preview = usePreview(event, isHovered);
  useEffect(() => setBroken(false), [event?.thumbnail_path]);
  if (!event) return <li className={`event ${view} empty-event`} aria-hidden="true" />;
  const isVideo = event.type === 'video';
  const name = `${camera}, ${kindName(event)}, ${showDateTime(event.timestamp_start)}`;
  return (
    <li className={`event ${view}${isChosen ? ' chosen' : ''}${isGone ? ' gone' : ''}`} data-event={event.id} onPointerEnter={(move) => { if (move.pointerType === 'mouse') setHovered(true); }} onPointerLeave={() => setHovered(false)}>
      <button type="button" className="event-open" data-index={index} tabIndex={isCurrent ? 0 : -1} aria-label={name} onClick={() => open(index)} onFocus={() => focus(index)}>
        <span className="event-picture">
          {event.thumbnail_path && !isBroken ? <img src={event.thumbnail_path} alt="" loading="lazy" decoding="async" onError={() => setBroken(true)} /> : <Icon name={isVideo ? 'events' : 'photo'} size={32} />}
          {preview ? <img src={preview} alt="" className="event-preview" onError={() => setHovered(false)} /> : null}
          {isVideo ? <span className="event-length">{event.timestamp_end ? showDuration(lengthOf(event)) : t('events.going')}</span> : null}
        </span>
        <span className="event-text">
          <strong>{camera}</strong>
          <span className="event-when">{showMoment(event.timestamp_start)}</span>
          <span className="row tight">
            <Badge kind={event.event_type === 'motion' ? 'warn' : event.event_type === 'continuous' ? 'accent' : 'plain'}>{kindName(event)}</Badge>
            {event.motion_score !== null ? <span className="soft">{showNumber(event.motion_score * 100, 1)} %</span> : null}
            {view === 'list' && event.file_size !== null ? <span className="soft">{showBytes(event.file_size)}</span> : null}
          </span>
        </span>
      </button>
      {canChoose ? (
        <label className="event-choose"><input type="checkbox" tabIndex={-1} aria-label={t('action.choose', { name })} checked={isChosen} onClick={(click) => choose(index, !isChosen, click.shiftKey)} onChange={() => {}} /></label>
      ) : null}
    </li>
  );
});
