import { useState, type ReactElement } from 'react';
import { api, Failure, withQuery } from '../core/api';
import { copyText } from '../core/clipboard';
import { useQuery } from '../core/query';
import { href } from '../app/router';
import { isAdmin, useUser } from '../core/session';
import type { Camera } from '../core/types';
import { localText, momentOf, showDateTime, showDuration } from '../core/time';
import { t } from '../i18n';
import { Button } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { SwitchField, TextField } from '../ui/Field';
import { Icon } from '../ui/Icon';
import { attempt, reason, toast } from '../ui/Toasts';
import type { Span } from './geometry';
import { readTimeline, recordedSeconds, type Answer } from './lanes';

/** Longest export of all cameras together, seconds. */
const LONGEST = 48 * 3600;
/** Shortest time-lapse, seconds. */
const LEAST_LAPSE = 5;

/** What can be done with a range: save it, hold it, see it in a minute. */
export function ExportDialog({ cameras, range, onClose }: { cameras: Camera[]; range: Span; onClose: () => void }): ReactElement {
  const user = useUser();
  const [start, setStart] = useState(localText(range.start));
  const [end, setEnd] = useState(localText(range.end + 999));
  const [isExact, setExact] = useState(true);
  const [isSigned, setSigned] = useState(false);
  const [why, setWhy] = useState('');
  const [errors, setErrors] = useState<Record<string, string>>({});
  const from = momentOf(start);
  const until = momentOf(end);
  const seconds = (until - from) / 1000;
  const isUsable = seconds > 0 && seconds * cameras.length <= LONGEST;
  // A minute of film, and less of a range that would hardly be faster than it was.
  const lapse = Math.round(Math.max(LEAST_LAPSE, Math.min(60, seconds / 10)));
  const query = { start: (from / 1000).toFixed(0), end: (until / 1000).toFixed(0) };
  const links = cameras.length > 1 || isSigned
    ? [{ name: cameras.length > 1 ? t('export.zip') : cameras[0]!.name, url: withQuery('/exports', { ...query, camera_ids: cameras.map((camera) => camera.id).join(','), exact: isExact, manifest: isSigned }) }]
    : cameras.map((camera) => ({ name: camera.name, url: withQuery(`/cameras/${camera.id}/export.mp4`, { ...query, exact: isExact }) }));
  // What of the range there is: nobody should save a file and find nothing in it.
  const answer = useQuery<Answer>(isUsable ? withQuery('/timeline', { cameras: cameras.map((camera) => camera.id).join(','), ...query, resolution: Math.max(1, Math.ceil(seconds / 1000)) }) : null).data;
  const recorded = answer ? readTimeline(answer) : null;
  const found = cameras.map((camera) => ({ camera, seconds: recorded ? recordedSeconds(recorded, camera.id, { start: from, end: until }) : null }));
  const isEmpty = recorded !== null && found.every((one) => one.seconds === 0);
  const share = () => attempt(() => copyText(`${location.origin}${href('/replay')}?${new URLSearchParams({ cameras: cameras.map((camera) => camera.id).join(','), range: `${query.start}-${query.end}` }).toString()}`), t('live.linkCopied'));
  const hold = async () => {
    if (!why.trim()) return setErrors({ reason: t('form.required') });
    try {
      for (const camera of cameras) await api.put(`/cameras/${camera.id}/holds`, { start: from / 1000, end: until / 1000, reason: why.trim() });
      toast(t('export.heldUntil'));
      onClose();
    } catch (problem) { setErrors(problem instanceof Failure && Object.keys(problem.fields).length > 0 ? problem.fields : { reason: reason(problem) }); }
    return undefined;
  };
  return (
    <Dialog title={t('export.title')} onClose={onClose}>
      <div className="form-grid">
        <TextField label={t('cameras.from')} type="datetime-local" step="1" name="start" value={start} onValue={setStart} />
        <TextField label={t('cameras.to')} type="datetime-local" step="1" name="end" value={end} onValue={setEnd} />
      </div>
      <p className={isUsable ? 'soft' : 'problem'}>{isUsable ? `${showDateTime(from)} · ${showDuration(seconds)}` : t('export.badRange')}</p>
      {isUsable && recorded ? (
        <ul className="plain-list soft" id="export-recorded">
          {found.map((one) => <li key={one.camera.id} className={one.seconds === 0 ? 'problem' : ''}>{one.seconds === 0 ? t('export.nothing', { name: one.camera.name }) : t('export.recorded', { name: one.camera.name, length: showDuration(Math.min(one.seconds ?? 0, seconds)) })}</li>)}
        </ul>
      ) : null}
      <SwitchField label={t('export.exact')} hint={t('export.exactHint')} value={isExact} onValue={setExact} />
      <SwitchField label={t('export.signed')} hint={t('export.signedHint')} value={isSigned} onValue={setSigned} />
      {isUsable ? <Button icon="link" id="share-range" onClick={share}>{t('export.share')}</Button> : null}
      {isUsable && !isEmpty ? (
        <div className="stack tight">
          {links.map((link) => <a key={link.url} className="button primary export-link" href={link.url} download><Icon name="download" /><span>{link.name}</span></a>)}
          {seconds > 60 ? cameras.map((camera) => (
            <a key={camera.id} className="button" href={withQuery(`/cameras/${camera.id}/timelapse.mp4`, { ...query, seconds: lapse })} download><Icon name="clock" /><span>{t('export.timeLapse', { name: camera.name })}</span></a>
          )) : null}
        </div>
      ) : null}
      {isAdmin(user) && isUsable && !isEmpty ? (
        <fieldset className="hold stack">
          <legend>{t('export.hold')}</legend>
          <p className="soft">{t('export.holdHint')}</p>
          <TextField label={t('export.holdReason')} name="reason" value={why} onValue={setWhy} error={errors['reason'] ?? errors['start'] ?? errors['end']} maxLength={200} />
          <Button icon="shield" onClick={hold}>{t('export.holdAction')}</Button>
        </fieldset>
      ) : null}
    </Dialog>
  );
}
