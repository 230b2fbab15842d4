import { useEffect, useRef, useState, type ReactElement } from 'react';
import { withQuery } from '../core/api';
import { shortcut } from '../core/keys';
import { isAdmin, useUser } from '../core/session';
import type { NVREvent } from '../core/types';
import { showBytes, showDateTime, showDuration } from '../core/time';
import { t } from '../i18n';
import { Link } from '../app/router';
import { Button } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { Icon } from '../ui/Icon';
import { kindName, lengthOf } from './EventCard';

export interface EventViewerProps { event: NVREvent; camera: string; onClose: () => void; step: (by: number) => void; hasBefore: boolean; hasAfter: boolean; remove: (event: NVREvent) => void; isGone: boolean }

/** Plays one event; the arrow keys go to its neighbours. */
export function EventViewer({ event, camera, onClose, step, hasBefore, hasAfter, remove, isGone }: EventViewerProps): ReactElement {
  const user = useUser();
  const video = useRef<HTMLVideoElement>(null);
  const [problem, setProblem] = useState(false);
  useEffect(() => setProblem(false), [event.id]);
  useEffect(() => {
    const key = (press: KeyboardEvent) => {
      const film = video.current;
      // Another dialog may lie above.
      if (press.target instanceof Element && press.target.closest('dialog:not(.viewer)')) return;
      switch (shortcut(press, { inDialogs: true })) {
        // With the focus on the film the arrows are its own.
        case 'ArrowLeft': if (press.target === film) return; step(-1); break;
        case 'ArrowRight': if (press.target === film) return; step(1); break;
        case 'k': step(-1); break;
        case 'j': step(1); break;
        case ' ':
          if (press.target instanceof HTMLButtonElement || press.target === film) return;
          if (film?.paused) film.play().catch(() => {});
          else film?.pause();
          break;
        case 'Delete': if (isAdmin(user)) remove(event); break;
        default: return;
      }
      press.preventDefault();
    };
    addEventListener('keydown', key);
    return () => removeEventListener('keydown', key);
  }, [event, step, remove, user]);
  const source = withQuery(`/events/${event.id}/download`, { inline: true });
  const facts = [
    kindName(event), event.type === 'video' ? event.timestamp_end ? showDuration(lengthOf(event)) : t('events.going') : null,
    event.width && event.height ? `${event.width}×${event.height}` : null, event.file_size !== null ? showBytes(event.file_size) : null,
  ].filter(Boolean).join(' · ');
  return (
    <Dialog title={camera} onClose={onClose} wide className="viewer" actions={
      <>
        <Button icon="left" label={t('events.previous')} disabled={!hasBefore} onClick={() => step(-1)} />
        <Button icon="right" label={t('events.next')} disabled={!hasAfter} onClick={() => step(1)} />
        <span className="spring" />
        {isAdmin(user) ? <Button icon="trash" kind="danger" id="delete-event" onClick={() => remove(event)}>{t('action.delete')}</Button> : null}
        {event.type === 'video' ? <Link className="button" to={withQuery('/replay', { cameras: event.camera_id, t: Math.round(Date.parse(event.timestamp_start) / 1000) })}><Icon name="replay" /><span>{t('nav.replay')}</span></Link> : null}
        <a className="button primary" href={`/events/${event.id}/download`} download><Icon name="download" /><span>{t('action.download')}</span></a>
      </>
    }>
      <p className="soft">{showDateTime(event.timestamp_start)} · {facts}</p>
      <div className={`stage${isGone ? ' gone' : ''}`}>
        {event.type === 'video' ? (
          <video ref={video} key={event.id} src={source} poster={event.thumbnail_path ?? undefined} controls autoPlay playsInline muted={false} onError={() => setProblem(true)} />
        ) : <img key={event.id} src={source} alt={`${camera}, ${showDateTime(event.timestamp_start)}`} onError={() => setProblem(true)} />}
        {problem ? <p className="tile-note">{t('events.cannotPlay')}</p> : null}
      </div>
    </Dialog>
  );
}
