import { useCallback, useEffect, useMemo, useRef, useState, type ReactElement } from 'react';
import { saveBlob } from '../core/api';
import { shortcut } from '../core/keys';
import { setPref, usePrefs } from '../core/prefs';
import { isAdmin, mayReplay, useUser } from '../core/session';
import { localText, showBytes, showNumber } from '../core/time';
import type { Camera } from '../core/types';
import { present } from '../core/now';
import { t } from '../i18n';
import { Link, navigate } from '../app/router';
import { Button } from '../ui/Button';
import { Icon } from '../ui/Icon';
import { toast } from '../ui/Toasts';
import { PTZ } from './PTZ';
import { copyPicture, keptPicture, StreamView, type Showing } from './StreamView';
import { statusText, takeSnapshot, toggleRecording, tone, trouble } from './state';
import { wayNames } from './Tile';
import { useAsleep } from './useAsleep';
import { useFullScreen } from './useFullScreen';
import { useZoom } from './useZoom';

export interface EnlargedProps { camera: Camera; motion: boolean; /** Bytes recorded in the last minute. */ stored: number | undefined; others: number[]; path: (camera: number | null) => string; isTouring: boolean; stopTour: () => void }

/** One camera over the whole page, with its main stream. */
export function Enlarged({ camera, motion, stored, others, path, isTouring, stopTour }: EnlargedProps): ReactElement {
  const user = useUser();
  const { boxes, volume } = usePrefs();
  const [audio, setAudio] = useState(false);
  const [showing, setShowing] = useState<Showing | null>(null);
  const frame = useRef<HTMLDivElement>(null);
  const root = useRef<HTMLDivElement>(null);
  const { isFull, toggle: toggleFull, canBe } = useFullScreen(root);
  const { zoom, zoomBy, reset } = useZoom(frame, camera.id);
  const isAsleep = useAsleep();
  const poster = useMemo(() => keptPicture(camera.id), [camera.id]);
  const report = useCallback((next: Showing) => setShowing(next), []);
  const problem = trouble(camera);
  const isLive = camera.status === 'CONNECTED';
  const index = others.indexOf(camera.id);
  const neighbour = useCallback((step: number) => {
    const next = others[(index + step + others.length) % others.length];
    if (next !== undefined) navigate(path(next), { replace: true });
  }, [others, index, path]);
  const close = useCallback(() => {
    stopTour();
    navigate(path(null));
  }, [path, stopTour]);

  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      switch (shortcut(event)) {
        case 'Escape': if (!document.fullscreenElement) close(); break;
        case 'ArrowLeft': neighbour(-1); break;
        case 'ArrowRight': neighbour(1); break;
        case '+': zoomBy(1.5); break;
        case '-': zoomBy(1 / 1.5); break;
        case '0': reset(); break;
        case 'f': toggleFull(); break;
        case 'm': setAudio((on) => !on); break;
        default: return;
      }
      event.preventDefault();
    };
    addEventListener('keydown', key);
    return () => removeEventListener('keydown', key);
  }, [close, neighbour, zoomBy, reset, toggleFull]);
  useEffect(() => { root.current?.focus({ preventScroll: true }); }, []);

  const savePicture = () => {
    const copy = copyPicture(root.current?.querySelector('.layer:not(.waiting) .picture') ?? null);
    if (!copy) {
      toast(t('live.noPicture'), 'bad');
      return;
    }
    copy.toBlob((blob) => { if (blob) saveBlob(blob, `${camera.name} ${localText(present()).replace('T', ' ').replaceAll(':', '.')}.jpg`); }, 'image/jpeg', 0.92);
  };
  const facts = showing?.facts;
  return (
    <section className="enlarged" ref={root} tabIndex={-1} aria-label={camera.name} data-camera={camera.id} data-condition={isLive ? showing?.condition ?? 'connecting' : 'off'} data-stream={facts?.stream}>
      <header className="enlarged-head">
        <Button kind="quiet" icon="back" label={t('action.back')} onClick={close} />
        <span className={`dot ${tone(camera.status)}`} title={statusText(camera.status)} />
        <h1>{camera.name}</h1>
        {motion && isLive ? <span className="chip motion">{t('live.motion')}</span> : null}
        {camera.is_recording ? <span className="chip rec">{t('live.rec')}</span> : null}
        {isLive && showing ? <span className="chip way">{wayNames[showing.way]}</span> : null}
        {isLive && showing?.way === 'jpeg' && showing.why ? <span className="facts why">{t('live.unsupported')} {showing.why}</span> : null}
        {facts ? <span className="facts">{facts.codec_name.toUpperCase()}{facts.transcoded ? ` (${t('live.transcoded')})` : ''} · {facts.width}×{facts.height}{facts.fps ? ` · ${showNumber(facts.fps, 0)} fps` : ''}{stored ? ` · ${t('live.stored', { size: showBytes(stored) })}` : ''}</span> : null}
        {isTouring ? <Button small icon="tour" onClick={stopTour}>{t('live.stopTour')}</Button> : null}
      </header>
      <div className="enlarged-stage" ref={frame}>
        <div className="zoomed" style={{ transform: `translate(${zoom.x}px, ${zoom.y}px) scale(${zoom.scale})` }}>
          <StreamView key={camera.id} camera={camera.id} stream="main" mode={camera.live_view_mode} audio={audio} volume={volume} width={1920} active={isLive && !isAsleep} boxes={boxes}
            poster={poster} onShowing={report} />
        </div>
        {problem ? <div className="tile-note"><strong>{problem.title}</strong>{problem.lines.map((line) => <span key={line}>{line}</span>)}</div>
          : showing?.condition === 'unsupported' ? <div className="tile-note"><strong>{t('live.unsupported')}</strong></div> : null}
        {others.length > 1 ? (
          <>
            <Button className="side left" icon="left" label={t('live.previous')} onClick={() => neighbour(-1)} />
            <Button className="side right" icon="right" label={t('live.next')} onClick={() => neighbour(1)} />
          </>
        ) : null}
      </div>
      <PTZ camera={camera} />
      <footer className="enlarged-foot">
        {camera.audio_enabled || facts?.audio ? (
          <span className="volume">
            <Button icon={audio ? 'sound' : 'mute'} label={t(audio ? 'live.soundOff' : 'live.soundOn')} aria-pressed={audio} onClick={() => setAudio(!audio)} />
            {audio ? <input type="range" min="0" max="1" step="0.05" value={volume} aria-label={t('live.volume')} onChange={(event) => setPref('volume', Number(event.target.value))} /> : null}
          </span>
        ) : null}
        <Button icon="boxes" label={t('live.boxes')} aria-pressed={boxes} onClick={() => setPref('boxes', !boxes)} />
        <Button icon="zoomOut" label={t('live.zoomOut')} disabled={zoom.scale <= 1} onClick={() => zoomBy(1 / 1.5)} />
        <span className="zoom-value">{showNumber(zoom.scale, 1)}×</span>
        <Button icon="zoomIn" label={t('live.zoomIn')} onClick={() => zoomBy(1.5)} />
        <Button icon="download" label={t('live.savePicture')} onClick={savePicture} />
        {isAdmin(user) && isLive && camera.enable_manual_snapshots ? <Button icon="photo" label={t('live.snapshot')} onClick={() => takeSnapshot(camera)} /> : null}
        {isAdmin(user) && camera.is_active ? <Button icon="record" className={camera.recording_mode === 'Continuous' ? 'on' : ''} aria-pressed={camera.recording_mode === 'Continuous'}
          label={t(camera.recording_mode === 'Continuous' ? 'live.stopRecording' : 'live.record')} onClick={() => toggleRecording(camera)} /> : null}
        <span className="spring" />
        {mayReplay(user, camera) ? <Link className="button" to={`/replay?cameras=${camera.id}`}><Icon name="replay" /><span>{t('nav.replay')}</span></Link> : null}
        {isAdmin(user) ? <Link className="button icon-only" to={`/cameras/${camera.id}`} aria-label={t('action.edit')} title={t('action.edit')}><Icon name="settings" /></Link> : null}
        {canBe ? <Button icon={isFull ? 'shrink' : 'expand'} label={t(isFull ? 'live.leaveFull' : 'live.full')} onClick={toggleFull} /> : null}
      </footer>
    </section>
  );
}
