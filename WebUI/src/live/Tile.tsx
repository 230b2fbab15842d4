import { memo, useCallback, useEffect, useRef, useState, type ReactElement } from 'react';
import { isAdmin, useUser } from '../core/session';
import type { Camera } from '../core/types';
import { t } from '../i18n';
import { Link } from '../app/router';
import { showBytes } from '../core/time';
import { Button } from '../ui/Button';
import { Icon } from '../ui/Icon';
import { keepPicture, StreamView, type Showing } from './StreamView';
import { statusText, takeSnapshot, toggleRecording, tone, trouble } from './state';

export const wayNames: Record<string, string> = { webcodecs: 'WebCodecs', mse: 'MSE', jpeg: 'JPEG' };

export interface TileProps {
  camera: Camera; motion: boolean; /** Bytes recorded in the last minute. */ stored: number | undefined; suspended: boolean; audio: boolean; volume: number; boxes: boolean; to: string;
  onAudio: (camera: number) => void;
  arranging: { index: number; count: number; move: (from: number, to: number) => void } | null;
}

export const Tile = memo(function Tile(props: TileProps): ReactElement {
  const { camera, motion, stored, suspended, audio, volume, boxes, to, onAudio, arranging } = props;
  const user = useUser();
  const frame = useRef<HTMLElement>(null);
  const [isSeen, setSeen] = useState(false);
  const [showing, setShowing] = useState<Showing | null>(null);
  useEffect(() => {
    if (!frame.current) return undefined;
    // A margin counts only around what is named as the root, and what is about to be scrolled to begins a little before.
    const observer = new IntersectionObserver(([entry]) => setSeen(entry?.isIntersecting ?? false), { root: frame.current.closest('.live-area'), rootMargin: '120px' });
    observer.observe(frame.current);
    return () => observer.disconnect();
  }, []);
  const report = useCallback((next: Showing) => setShowing(next), []);
  const problem = trouble(camera);
  const isLive = camera.status === 'CONNECTED';
  const condition = isLive ? showing?.condition ?? 'connecting' : 'off';
  const hasSound = camera.audio_enabled || showing?.facts?.audio;
  return (
    <article ref={frame} className={`tile${motion && isLive ? ' moving' : ''}${arranging ? ' arranging' : ''}`} aria-label={camera.name} data-camera={camera.id} data-condition={condition}>
      <StreamView camera={camera.id} stream="sub" mode={camera.live_view_mode} audio={audio} volume={volume} width={640}
        active={isSeen && !suspended && isLive} boxes={boxes} onShowing={report} />
      {problem ? (
        <div className="tile-note"><strong>{problem.title}</strong>{problem.lines.map((line) => <span key={line}>{line}</span>)}</div>
      ) : condition === 'connecting' ? <div className="tile-note faint"><span className="wheel" aria-hidden="true" /><span>{t('live.connecting')}</span></div>
        : condition === 'unsupported' ? <div className="tile-note"><strong>{t('live.unsupported')}</strong>{showing?.why ? <span>{showing.why}</span> : null}</div> : null}
      <div className="tile-top">
        <span className={`dot ${tone(camera.status)}`} title={statusText(camera.status)} />
        <h2>{camera.name}</h2>
        {motion && isLive ? <span className="chip motion">{t('live.motion')}</span> : null}
        {camera.is_recording ? <span className="chip rec">{t('live.rec')}</span> : null}
        {isLive && showing ? <span className="chip way" title={showing.way === 'jpeg' && showing.why ? `${t('live.unsupported')} ${showing.why}` : showing.facts ? `${showing.facts.codec_name} ${showing.facts.width}×${showing.facts.height}` : undefined}>{wayNames[showing.way]}</span> : null}
      </div>
      {stored ? <p className="tile-stored" title={t('live.storedHint')}><Icon name="disk" size={13} /><span className="visually-hidden">{t('live.storedHint')}: </span>{t('live.stored', { size: showBytes(stored) })}</p> : null}
      {arranging ? (
        <div className="tile-arrange">
          <Button icon="left" label={t('live.moveEarlier', { name: camera.name })} disabled={arranging.index === 0} onClick={() => arranging.move(arranging.index, arranging.index - 1)} />
          <Button icon="right" label={t('live.moveLater', { name: camera.name })} disabled={arranging.index === arranging.count - 1} onClick={() => arranging.move(arranging.index, arranging.index + 1)} />
        </div>
      ) : (
        <>
          <Link to={to} className="tile-link" onClick={() => keepPicture(camera.id, frame.current)} aria-label={t('live.enlarge', { name: camera.name })} draggable={false} />
          <div className="tile-actions">
            {hasSound && isLive ? <Button small icon={audio ? 'sound' : 'mute'} label={t(audio ? 'live.soundOff' : 'live.soundOn')} aria-pressed={audio} onClick={() => onAudio(camera.id)} /> : null}
            {isAdmin(user) && isLive && camera.enable_manual_snapshots ? <Button small icon="photo" label={t('live.snapshot')} onClick={() => takeSnapshot(camera)} /> : null}
            {isAdmin(user) && camera.is_active ? <Button small icon="record" className={camera.recording_mode === 'Continuous' ? 'on' : ''} aria-pressed={camera.recording_mode === 'Continuous'}
              label={t(camera.recording_mode === 'Continuous' ? 'live.stopRecording' : 'live.record')} onClick={() => toggleRecording(camera)} /> : null}
          </div>
        </>
      )}
    </article>
  );
});
