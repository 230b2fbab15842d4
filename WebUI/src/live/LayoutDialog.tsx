import { useState, type ReactElement } from 'react';
import type { Layout } from '../core/prefs';
import type { Camera } from '../core/types';
import { t } from '../i18n';
import { navigate } from '../app/router';
import { Button } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { TextField } from '../ui/Field';
import { saveLayout } from './layouts';

/** A named choice of cameras. `taken`: the names of the other layouts. */
export function LayoutDialog({ layout, taken, cameras, onClose }: { layout: Layout; taken: string[]; cameras: Camera[]; onClose: () => void }): ReactElement {
  const [name, setName] = useState(layout.name);
  const [chosen, setChosen] = useState<number[]>(layout.cameras);
  const [problem, setProblem] = useState<string | undefined>(undefined);
  const save = async () => {
    const clean = name.trim();
    if (!clean) return setProblem(t('form.required'));
    if (taken.includes(clean)) return setProblem(t('live.layoutTaken'));
    if (!await saveLayout({ ...layout, name: clean, cameras: chosen }, layout.name || undefined)) return undefined;
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
