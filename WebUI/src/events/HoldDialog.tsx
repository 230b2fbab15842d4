import { useState, type ReactElement } from 'react';
import { api } from '../core/api';
import type { NVREvent } from '../core/types';
import { present } from '../core/now';
import { count, t } from '../i18n';
import { Button } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { TextField } from '../ui/Field';
import { reason, toast } from '../ui/Toasts';

/** Keeps the footage of events from being deleted by anything. */
export function HoldDialog({ events, onClose, onDone }: { events: NVREvent[]; onClose: () => void; onDone: () => void }): ReactElement {
  const [why, setWhy] = useState('');
  const [problem, setProblem] = useState<string | undefined>(undefined);
  const hold = async () => {
    if (!why.trim()) return setProblem(t('form.required'));
    try {
      for (const event of events) {
        const start = Date.parse(event.timestamp_start) / 1000;
        // A picture is held with the second that it is of.
        const end = event.timestamp_end ? Date.parse(event.timestamp_end) / 1000 : event.type === 'video' ? present() / 1000 : start + 1;
        await api.put(`/cameras/${event.camera_id}/holds`, { start, end: Math.max(end, start + 1), reason: why.trim() });
      }
      toast(t('export.heldUntil'));
      onDone();
    } catch (failure) { setProblem(reason(failure)); }
    return undefined;
  };
  return (
    <Dialog title={`${t('export.hold')}: ${count('events.count', events.length)}`} onClose={onClose} onSubmit={hold}
      actions={<><Button onClick={onClose}>{t('action.cancel')}</Button><Button type="submit" kind="primary">{t('export.hold')}</Button></>}>
      <p>{t('export.holdHint')}</p>
      <TextField label={t('export.holdReason')} name="reason" autoFocus required maxLength={200} value={why} onValue={setWhy} error={problem} />
    </Dialog>
  );
}
