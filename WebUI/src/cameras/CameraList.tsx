import { useCallback, useEffect, useMemo, useState, type ReactElement } from 'react';
import { api, isShutOut, save } from '../core/api';
import { invalidate, useQuery } from '../core/query';
import { Store, useStore } from '../core/store';
import type { Camera, CameraFields, Statistics } from '../core/types';
import { lostFor, useLostVolumes } from '../core/volumes';
import { showGB } from '../core/time';
import { count, t } from '../i18n';
import { Link, navigate } from '../app/router';
import { moved } from '../live/geometry';
import { orderCameras, statusText, tone, trouble, useCameras } from '../live/state';
import { Button } from '../ui/Button';
import { Badge, Card, Empty, PageHead, Problem, Spinner, Tabs } from '../ui/Bits';
import { ask } from '../ui/Dialog';
import { Icon } from '../ui/Icon';
import { attempt, undoable } from '../ui/Toasts';
import { useDrag } from '../ui/useDrag';
import { choiceLabel } from './CameraField';
import { CopySettings } from './CopySettings';
import { ImportDialog } from './ImportDialog';
import { recordsNothing } from './lint';

/** Cameras that are about to be deleted and can still be taken back. */
const leaving = new Store<ReadonlySet<number>>(new Set());

function Thumbnail({ camera }: { camera: Camera }): ReactElement {
  const [turn, setTurn] = useState(() => Date.now());
  const [isBroken, setBroken] = useState(false);
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.hidden || isShutOut.value) return;
      setBroken(false);
      setTurn(Date.now());
    }, 10_000);
    return () => clearInterval(timer);
  }, []);
  if (camera.status !== 'CONNECTED' || isBroken) return <span className="thumb"><Icon name="offline" /></span>;
  return <img className="thumb" src={`/api/cameras/${camera.id}/frame?width=160&t=${turn}`} alt="" loading="lazy" onError={() => setBroken(true)} />;
}

export function CamerasTabs({ current }: { current: 'list' | 'groups' }): ReactElement {
  return <Tabs label={t('nav.cameras')} current={current} to={(id) => id === 'list' ? '/cameras' : '/cameras/groups'} tabs={[{ id: 'list', label: t('nav.cameras') }, { id: 'groups', label: t('groups.title') }]} />;
}

export function CameraList(): ReactElement {
  const { cameras, failure, refresh } = useCameras();
  const statistics = useQuery<Statistics>('/stats', 30_000).data;
  const lost = useLostVolumes(true);
  const gone = useStore(leaving);
  const [search, setSearch] = useState('');
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  const [isImporting, setImporting] = useState(false);
  const [copying, setCopying] = useState<Camera | null>(null);
  const shown = useMemo(() => {
    const wanted = search.trim().toLowerCase();
    return (cameras ?? []).filter((camera) => !gone.has(camera.id) && (!wanted || [camera.name, camera.location ?? '', ...camera.groups.map((group) => group.name)].some((text) => text.toLowerCase().includes(wanted))));
  }, [cameras, search, gone]);
  const [wantsOrder, setWantsOrder] = useState(false);
  // What is left out by the search has places between those that are seen.
  const isArranging = wantsOrder && !search.trim() && gone.size === 0;
  const move = useCallback((from: number, to: number) => orderCameras(moved(shown.map((camera) => camera.id), from, to)), [shown]);
  const drag = useDrag(isArranging, '.camera-list > li', move);
  if (!cameras) return <div className="page">{failure ? <Problem failure={failure} retry={refresh} /> : <Spinner />}</div>;

  const toggle = (id: number, isOn: boolean) => setChosen((old) => {
    const next = new Set(old);
    if (isOn) next.add(id);
    else next.delete(id);
    return next;
  });
  const remove = async (list: Camera[]) => {
    const name = list.length === 1 ? list[0]!.name : count('cameras.count', list.length);
    const answer = await ask({ title: t('cameras.deleteTitle', { name }), text: t('cameras.deleteText'), action: t('action.delete'), danger: true, option: t('cameras.deleteMedia') });
    if (!answer) return;
    const ids = list.map((camera) => camera.id);
    const change = (isGone: boolean) => leaving.update((old) => new Set(isGone ? [...old, ...ids] : [...old].filter((id) => !ids.includes(id))));
    setChosen(new Set());
    undoable(t('cameras.deleted', { name }), {
      apply: () => change(true),
      revert: () => change(false),
      run: async () => {
        await api.post('/cameras/bulk-delete', { camera_ids: ids }, { delete_media: answer.option });
        await invalidate('/cameras', '/groups', '/events');
        change(false);
      },
    });
  };
  const clone = (camera: Camera) => attempt(async () => {
    const made = await api.post<Camera>(`/cameras/${camera.id}/clone`);
    await invalidate('/cameras');
    navigate(`/cameras/${made.id}`);
  }, t('cameras.cloned', { name: camera.name }));
  /** Without the passwords the cameras of the file cannot be watched, with them nobody else may have it: that is for a person to say. */
  const take = async (list: Camera[] | null) => {
    const name = list?.length === 1 ? list[0]!.name : count('cameras.count', (list ?? cameras).length);
    const answer = await ask({ title: t('cameras.exportTitle', { name }), text: t('cameras.exportText'), action: t('action.export'), option: t('cameras.exportSecrets') });
    if (!answer) return;
    const query = { include_credentials: answer.option };
    await attempt(() => list ? save('POST', '/cameras/export/bulk', { query, body: { camera_ids: list.map((camera) => camera.id) } }, 'cameras.json') : save('GET', '/cameras/export/all', { query }, 'cameras.json'));
  };
  const picked = shown.filter((camera) => chosen.has(camera.id));
  return (
    <div className="page">
      <PageHead title={t('nav.cameras')}>
        <Button icon="upload" id="import-cameras" onClick={() => setImporting(true)}>{t('action.import')}</Button>
        <Button icon="download" id="export-cameras" disabled={cameras.length === 0} onClick={() => take(null)}>{t('action.export')}</Button>
        <Link className="button primary" id="add-camera" to="/cameras/new"><Icon name="plus" /><span>{t('cameras.add')}</span></Link>
      </PageHead>
      <CamerasTabs current="list" />
      {cameras.length === 0 ? <Empty icon="cameras" title={t('live.noCameras')}><p>{t('live.addFirst')}</p></Empty> : (
        <Card>
          <div className="row">
            <input type="search" className="search" disabled={wantsOrder} placeholder={t('action.search')} aria-label={t('action.search')} value={search} onChange={(event) => setSearch(event.target.value)} />
            {cameras.length > 1 ? <Button icon="move" id="arrange" aria-pressed={wantsOrder} onClick={() => { setSearch(''); setWantsOrder(!wantsOrder); }}>{t('live.arrange')}</Button> : null}
            {picked.length > 0 ? (
              <>
                <span className="soft">{count('state.chosen', picked.length)}</span>
                <Button small icon="download" id="export-chosen" onClick={() => take(picked)}>{t('action.export')}</Button>
                <Button small icon="trash" kind="danger" id="delete-chosen" onClick={() => remove(picked)}>{t('action.delete')}</Button>
              </>
            ) : null}
          </div>
          {isArranging ? <p className="soft">{t('cameras.arrangeHint')}</p> : null}
          <ul className={`camera-list${isArranging ? ' arranging' : ''}`} {...drag}>
            {shown.map((camera, index) => {
              const problem = trouble(camera);
              const missing = lostFor(camera, lost);
              const idle = recordsNothing((name) => (camera as CameraFields)[name]);
              const held = statistics?.details.cameras[String(camera.id)]?.movies;
              return (
                <li key={camera.id} data-camera={camera.id}>
                  <input type="checkbox" aria-label={t('action.choose', { name: camera.name })} checked={chosen.has(camera.id)} onChange={(event) => toggle(camera.id, event.target.checked)} />
                  <Link to={`/cameras/${camera.id}`} className="camera-main" draggable={false} onClick={(event) => { if (isArranging) event.preventDefault(); }}>
                    <Thumbnail camera={camera} />
                    <span className="camera-text">
                      <strong>{camera.name}</strong>
                      <span className="row tight"><span className={`dot ${tone(camera.status)}`} /><span className="state">{statusText(camera.status)}</span>{camera.location ? <span className="soft">· {camera.location}</span> : null}</span>
                      {missing ? <span className="problem why">{t('storage.cameraLost', { name: missing.name })}</span> : null}
                      {idle ? <span className="problem why">{t(`cameras.${idle}`)}</span> : null}
                      {problem?.lines[0] ? <span className="soft why">{problem.lines.join(' · ')}</span> : null}
                    </span>
                  </Link>
                  <span className="camera-facts">
                    {camera.groups.map((group) => <Badge key={group.name}>{group.name}</Badge>)}
                    <Badge kind={camera.recording_mode === 'Off' ? 'plain' : 'accent'}>{choiceLabel(camera.recording_mode)}</Badge>
                    {camera.status === 'CONNECTED' ? <span className="soft nowrap">{camera.resolution_width}×{camera.resolution_height}</span> : null}
                    {held?.size_gb != null && held.count > 0 ? <span className="soft nowrap">{showGB(held.size_gb)}</span> : null}
                  </span>
                  {isArranging ? (
                    <span className="camera-actions">
                      <Button icon="up" label={t('live.moveEarlier', { name: camera.name })} disabled={index === 0} onClick={() => move(index, index - 1)} />
                      <Button icon="down" label={t('live.moveLater', { name: camera.name })} disabled={index === shown.length - 1} onClick={() => move(index, index + 1)} />
                    </span>
                  ) : <span className="camera-actions">
                    <Button kind="quiet" icon="copy" label={t('cameras.clone', { name: camera.name })} onClick={() => clone(camera)} />
                    <Button kind="quiet" icon="settings" label={t('cameras.copySettings', { name: camera.name })} onClick={() => setCopying(camera)} />
                    <Button kind="quiet" icon="trash" label={t('cameras.delete', { name: camera.name })} onClick={() => remove([camera])} />
                  </span>}
                </li>
              );
            })}
          </ul>
          {shown.length === 0 ? <p className="soft centred">{t('state.nothingFound')}</p> : null}
        </Card>
      )}
      {isImporting ? <ImportDialog onClose={() => setImporting(false)} /> : null}
      {copying ? <CopySettings camera={copying} cameras={cameras} onClose={() => setCopying(null)} /> : null}
    </div>
  );
}
