import { useState, type ReactElement } from 'react';
import { prefs, setPref, type Layout } from '../core/prefs';
import type { Camera } from '../core/types';
import { t } from '../i18n';
import { navigate } from '../app/router';
import { Button } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { TextField } from '../ui/Field';

/** A named choice of cameras, kept in this browser. */
export function LayoutDialog({ layout, cameras, onClose }: { layout: Layout; cameras: Camera[]; onClose: () => void }): ReactElement {
  const [name, setName] = useState(layout.name);
  const [chosen, setChosen] = useState<number[]>(layout.cameras);
  const [problem, setProblem] = useState<string | undefined>(undefined);
  const save = () => {
    const clean = name.trim();
    const others = prefs.value.layouts.filter((one) => one.name !== layout.name);
    if (!clean) return setProblem(t('form.required'));
    if (others.some((one) => one.name === clean)) return setProblem(t('live.layoutTaken'));
    const next = { ...layout, name: clean, cameras: chosen };
    setPref('layouts', [...others, next]);
    onClose();
    navigate(`/live?view=${encodeURIComponent(`l${clean}`)}`, { replace: true });
    return undefined;
  };
  return (
    <Dialog title={t(layout.name ? 'live.editLayout' : 'live.newLayout')} onClose={onClose} onSubmit={save}
      actions={<><Button onClick={onClose}>{t('action.cancel')}</Button><Button type="submit" kind="primary" disabled={chosen.length === 0}>{t('action.save')}</Button></>}>
      <TextField label={t('live.layoutName')} name="name" value={name} onValue={setName} error={problem} maxLength={60} autoFocus required />
      <fieldset className="picks"><legend>{t('nav.cameras')}</legend>
        {cameras.map((camera) => (
          <label key={camera.id} className="check"><input type="checkbox" checked={chosen.includes(camera.id)}
            onChange={(event) => setChosen(event.target.checked ? [...chosen, camera.id] : chosen.filter((id) => id !== camera.id))} /> {camera.name}</label>
        ))}
      </fieldset>
    </Dialog>
  );
}
