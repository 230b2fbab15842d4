import { useState, type ReactElement } from 'react';
import type { NVREvent } from '../core/types';
import { showBytes } from '../core/time';
import { count, t } from '../i18n';
import { Dialog } from '../ui/Dialog';
import { SwitchField } from '../ui/Field';
import { Icon } from '../ui/Icon';
import { exportPath, MOST_EXPORTED } from './filters';

/** The files of several events as one. */
export function ExportEvents({ events, onClose, onDone }: { events: NVREvent[]; onClose: () => void; onDone: () => void }): ReactElement {
  const [isExact, setExact] = useState(true);
  const [isSigned, setSigned] = useState(false);
  const ids = [...events].sort((a, b) => Date.parse(a.timestamp_start) - Date.parse(b.timestamp_start)).map((event) => event.id);
  const bytes = events.reduce((sum, event) => sum + (event.file_size ?? 0), 0);
  return (
    <Dialog title={`${t('export.title')}: ${count('events.count', events.length)}`} onClose={onClose}>
      {ids.length > MOST_EXPORTED ? <p className="problem">{t('export.tooManyEvents', { count: MOST_EXPORTED })}</p> : (
        <>
          <p className="soft">{t('export.eventsHint')}{bytes > 0 ? ` ${t('export.about', { size: showBytes(bytes) })}` : ''}</p>
          <SwitchField label={t('export.exact')} hint={t('export.exactHint')} value={isExact} onValue={setExact} />
          <SwitchField label={t('export.signed')} hint={t('export.signedHint')} value={isSigned} onValue={setSigned} />
          <a className="button primary export-link" href={exportPath(ids, isExact, isSigned)} download onClick={() => setTimeout(onDone)}><Icon name="download" /><span>{t('export.eventsZip')}</span></a>
        </>
      )}
    </Dialog>
  );
}
