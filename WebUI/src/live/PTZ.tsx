import { useEffect, useRef, type PointerEvent, type ReactElement } from 'react';
import { api } from '../core/api';
import { useQuery } from '../core/query';
import { mayControl, useUser } from '../core/session';
import type { Camera } from '../core/types';
import { t, type Key } from '../i18n';
import { Button } from '../ui/Button';
import type { IconName } from '../ui/Icon';
import { attempt, complain } from '../ui/Toasts';

interface Move { pan: number; tilt: number; zoom: number }
const moves: readonly { id: string; icon: IconName; key: Key; move: Move }[] = [
  { id: 'up', icon: 'up', key: 'ptz.up', move: { pan: 0, tilt: 1, zoom: 0 } }, { id: 'left', icon: 'left', key: 'ptz.left', move: { pan: -1, tilt: 0, zoom: 0 } },
  { id: 'right', icon: 'right', key: 'ptz.right', move: { pan: 1, tilt: 0, zoom: 0 } }, { id: 'down', icon: 'down', key: 'ptz.down', move: { pan: 0, tilt: -1, zoom: 0 } },
];
const zooms: typeof moves = [
  { id: 'in', icon: 'zoomIn', key: 'ptz.in', move: { pan: 0, tilt: 0, zoom: 1 } }, { id: 'out', icon: 'zoomOut', key: 'ptz.out', move: { pan: 0, tilt: 0, zoom: -1 } },
];
const ROUTE = '/onvif/ptz/move/{camera_id}';

/** Moves a camera while a button is held. Only for cameras that say that they can, users who may, and servers that know how. */
export function PTZ({ camera }: { camera: Camera }): ReactElement | null {
  const user = useUser();
  // Cameras that nobody has asked say that they can everything: one that is moved has an ONVIF address.
  const can = Boolean(camera.onvif_host) && (camera.ptz_can_pan_tilt || camera.ptz_can_zoom || camera.ptz_can_home);
  const isAsked = can && mayControl(user, camera);
  const document = useQuery<{ paths: Record<string, { post?: { responses: Record<string, unknown> } }> }>(isAsked ? '/openapi.json' : null).data;
  const isMoving = useRef(false);
  const stop = () => {
    if (!isMoving.current) return;
    isMoving.current = false;
    api.post(`/onvif/ptz/stop/${camera.id}`).catch(complain);
  };
  // A camera that is left goes no further.
  const stopNow = useRef(stop);
  stopNow.current = stop;
  useEffect(() => {
    const end = () => stopNow.current();
    addEventListener('blur', end);
    return () => {
      removeEventListener('blur', end);
      end();
    };
  }, [camera.id]);
  // Servers that only know the route do not promise success.
  if (!isAsked || !document?.paths[ROUTE]?.post?.responses['200']) return null;
  const start = (move: Move) => {
    isMoving.current = true;
    api.post(`/onvif/ptz/move/${camera.id}`, move).catch((problem: unknown) => {
      isMoving.current = false;
      complain(problem);
    });
  };
  const button = ({ id, icon, key, move }: (typeof moves)[number]) => (
    <Button key={id} icon={icon} label={t(key)} className={`ptz-${id}`}
      onPointerDown={(event: PointerEvent<HTMLButtonElement>) => { event.currentTarget.setPointerCapture(event.pointerId); start(move); }} onPointerUp={stop} onPointerCancel={stop} onLostPointerCapture={stop}
      onKeyDown={(event) => { if ((event.key === ' ' || event.key === 'Enter') && !event.repeat) { event.preventDefault(); start(move); } }} onKeyUp={stop} onContextMenu={(event) => event.preventDefault()} />
  );
  return (
    <div className="ptz" role="group" aria-label={t('ptz.title')}>
      {camera.ptz_can_pan_tilt ? <div className="ptz-pad">{moves.map(button)}{camera.ptz_can_home ? <Button icon="pin" label={t('ptz.home')} className="ptz-home" onClick={() => attempt(() => api.post(`/onvif/ptz/goto-home/${camera.id}`))} /> : null}</div>
        : camera.ptz_can_home ? <Button icon="pin" label={t('ptz.home')} onClick={() => attempt(() => api.post(`/onvif/ptz/goto-home/${camera.id}`))} /> : null}
      {camera.ptz_can_zoom ? <div className="ptz-zoom">{zooms.map(button)}</div> : null}
    </div>
  );
}
