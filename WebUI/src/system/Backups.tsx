import { useState, type ReactElement } from 'react';
import { api, call, codeOf, save } from '../core/api';
import { invalidate, useQuery } from '../core/query';
import { saidList } from '../core/said';
import type { BackupFile, Restored } from '../core/types';
import { showBytes, showDateTime } from '../core/time';
import { t, words } from '../i18n';
import { Button } from '../ui/Button';
import { Card, Problem, Spinner } from '../ui/Bits';
import { Table } from '../ui/Table';
import { ask, Dialog } from '../ui/Dialog';
import { TextField } from '../ui/Field';
import { attempt, complain, reason } from '../ui/Toasts';

export function Backups(): ReactElement {
  const { data: files, failure, refresh } = useQuery<BackupFile[]>('/settings/backup/list', 20_000);
  const [isExporting, setExporting] = useState(false);
  const [isImporting, setImporting] = useState(false);
  const [result, setResult] = useState<Restored | null>(null);
  if (!files) return failure ? <Problem failure={failure} retry={refresh} /> : <Spinner />;
  const run = () => attempt(async () => {
    await api.post('/settings/backup/run');
    await refresh();
  }, t('backups.made'));
  const restore = async (file: BackupFile) => {
    if (!await ask({ title: t('backups.restoreTitle'), text: t('backups.restoreText', { name: file.filename }), action: t('backups.restore'), danger: true })) return;
    try {
      setResult(await api.post<Restored>(`/settings/backup/restore-file/${encodeURIComponent(file.filename)}`));
      await invalidate('/cameras', '/groups', '/users', '/settings', '/storage');
    } catch (problem) { complain(problem); }
  };
  const remove = async (file: BackupFile) => {
    if (!await ask({ title: t('backups.deleteTitle'), text: file.filename, action: t('action.delete'), danger: true })) return;
    await attempt(async () => {
      await api.del(`/settings/backup/${encodeURIComponent(file.filename)}`);
      await refresh();
    });
  };
  return (
    <>
      <Card title={t('system.backups')} actions={
        <span className="row">
          <Button icon="upload" onClick={() => setImporting(true)}>{t('backups.import')}</Button>
          <Button icon="download" onClick={() => setExporting(true)}>{t('backups.export')}</Button>
          <Button kind="primary" icon="backup" id="run-backup" onClick={run}>{t('backups.run')}</Button>
        </span>
      }>
        <p className="soft">{t('backups.hint')}</p>
        {files.length === 0 ? <p>{t('backups.none')}</p> : (
          <Table label={t('system.backups')} columns={[
            { label: t('form.file'), kind: 'mono' }, { label: t('backups.when'), kind: 'nowrap' }, { label: t('backups.size'), kind: 'number nowrap' },
            { label: t('action.edit'), kind: 'actions' },
          ]} rows={files.map((file) => ({
            key: file.filename, cells: [
              file.filename, showDateTime(file.created_at), showBytes(file.size),
              <>
                <Button small onClick={() => restore(file)}>{t('backups.restore')}</Button>{' '}
                <Button kind="quiet" small icon="trash" label={t('backups.delete', { name: file.filename })} onClick={() => remove(file)} />
              </>,
            ],
          }))} />
        )}
      </Card>
      {isExporting ? <ExportBackup onClose={() => setExporting(false)} /> : null}
      {isImporting ? <ImportBackup onClose={() => setImporting(false)} onDone={(done) => { setImporting(false); setResult(done); }} /> : null}
      {result ? <Outcome result={result} onClose={() => setResult(null)} /> : null}
    </>
  );
}

function ExportBackup({ onClose }: { onClose: () => void }): ReactElement {
  const [phrase, setPhrase] = useState('');
  const run = async () => {
    if (await attempt(() => save('POST', '/settings/backup/export', { body: phrase ? { passphrase: phrase } : {} }, 'vibenvr-backup.json'))) onClose();
  };
  return (
    <Dialog title={t('backups.export')} onClose={onClose} onSubmit={run} actions={<><Button onClick={onClose}>{t('action.cancel')}</Button><Button type="submit" kind="primary">{t('action.download')}</Button></>}>
      <p>{t('backups.exportHint')}</p>
      <TextField label={t('backups.passphrase')} type="password" name="passphrase" autoComplete="new-password" value={phrase} onValue={setPhrase} hint={t('backups.passphraseHint')} />
    </Dialog>
  );
}

function ImportBackup({ onClose, onDone }: { onClose: () => void; onDone: (result: Restored) => void }): ReactElement {
  const [file, setFile] = useState<File | null>(null);
  const [phrase, setPhrase] = useState('');
  const [errors, setErrors] = useState<{ file?: string; phrase?: string }>({});
  const run = async () => {
    if (!file) {
      setErrors({ file: t('form.required') });
      return;
    }
    const form = new FormData();
    form.set('file', file);
    if (phrase) form.set('passphrase', phrase);
    try {
      const result = await call<Restored>('POST', '/settings/backup/import', { body: form });
      await invalidate('/cameras', '/groups', '/users', '/settings', '/storage');
      onDone(result);
    } catch (problem) { setErrors({ [codeOf(problem)?.startsWith('backup_passphrase') ? 'phrase' : 'file']: reason(problem) }); }
  };
  return (
    <Dialog title={t('backups.import')} onClose={onClose} onSubmit={run} actions={<><Button onClick={onClose}>{t('action.cancel')}</Button><Button type="submit" kind="danger" className="solid" id="import-backup">{t('backups.restore')}</Button></>}>
      <p>{t('backups.importHint')}</p>
      <label className="file-pick"><span>{t('form.file')}</span><input type="file" name="file" accept=".json,.tar,application/json" aria-invalid={errors.file ? true : undefined} aria-describedby={errors.file ? 'backup-file-about' : undefined}
        onChange={(event) => { setFile(event.target.files?.[0] ?? null); setErrors({}); }} /></label>
      {errors.file ? <p className="field-error" role="alert" id="backup-file-about">{errors.file}</p> : null}
      <TextField label={t('backups.passphrase')} type="password" name="passphrase" autoComplete="off" value={phrase} onValue={(value) => { setPhrase(value); setErrors({}); }} error={errors.phrase} hint={t('form.optional')} />
    </Dialog>
  );
}

function Outcome({ result, onClose }: { result: Restored; onClose: () => void }): ReactElement {
  const changes = Object.entries(result.restored).filter(([, number]) => number > 0);
  return (
    <Dialog title={t('backups.restored')} onClose={onClose} actions={<Button kind="primary" onClick={onClose}>{t('action.close')}</Button>}>
      <p>{changes.length > 0 ? changes.map(([name, number]) => `${words(`backups.part.${name}`, name.replaceAll('_', ' '))}: ${number}`).join(', ') : t('backups.nothingChanged')}</p>
      {result.warnings.length > 0 ? <ul className="plain-list" id="restore-warnings">{saidList(result, 'warnings').map((warning, index) => <li key={`${index} ${warning}`}>{warning}</li>)}</ul> : null}
      {result.users_without_password.length > 0 ? <p className="problem">{t('backups.noPassword', { names: result.users_without_password.join(', ') })}</p> : null}
      <p className="soft">{t('backups.safety', { name: result.safety_backup })}</p>
    </Dialog>
  );
}
