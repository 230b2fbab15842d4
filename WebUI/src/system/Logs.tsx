import { useEffect, useRef, useState, type ReactElement } from 'react';
import { withQuery } from '../core/api';
import { useQuery } from '../core/query';
import { t } from '../i18n';
import { Button } from '../ui/Button';
import { Card, Problem, Spinner } from '../ui/Bits';
import { SelectField, SwitchField, TextField } from '../ui/Field';
import { Icon } from '../ui/Icon';

const levels = ['debug', 'info', 'notice', 'warning', 'error'] as const;

/** The end of the server's log, as it grows. */
export function Logs(): ReactElement {
  const [service, setService] = useState('all');
  const [level, setLevel] = useState('info');
  const [typed, setTyped] = useState('');
  const [search, setSearch] = useState('');
  const [isFollowing, setFollowing] = useState(true);
  useEffect(() => {
    const timer = setTimeout(() => setSearch(typed.trim()), 300);
    return () => clearTimeout(timer);
  }, [typed]);
  const { data: lines, failure, refresh } = useQuery<string[]>(withQuery('/logs/', { service, level, search, lines: 500 }), isFollowing ? 2000 : undefined);
  const frame = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (isFollowing && frame.current) frame.current.scrollTop = frame.current.scrollHeight;
  }, [lines, isFollowing]);
  const tone = (line: string) => /\b(error|critical)\b/i.test(line.slice(0, 60)) ? 'bad' : /\bwarning\b/i.test(line.slice(0, 60)) ? 'warn' : undefined;
  return (
    <Card title={t('system.logs')} actions={<a className="button" href="/api/logs/download" download><Icon name="download" /><span>{t('action.download')}</span></a>}>
      <div className="form-grid">
        <SelectField label={t('logs.part')} value={service} onValue={setService} options={[{ value: 'all', label: t('logs.all') }, { value: 'backend', label: t('logs.server') }, { value: 'engine', label: t('nav.cameras') }]} />
        <SelectField label={t('logs.level')} value={level} onValue={setLevel} options={levels.map((value) => ({ value, label: value }))} />
        <TextField label={t('action.search')} type="search" value={typed} onValue={setTyped} maxLength={200} />
        <SwitchField label={t('logs.follow')} value={isFollowing} onValue={setFollowing} />
      </div>
      {failure && !lines ? <Problem failure={failure} retry={refresh} /> : !lines ? <Spinner /> : (
        <div className="log" ref={frame} tabIndex={0} role="log" aria-label={t('system.logs')}>
          {lines.length === 0 ? <p className="soft">{t('state.nothingFound')}</p> : lines.map((line, index) => <div key={`${lines.length - index}`} className={tone(line)}>{line}</div>)}
        </div>
      )}
      {isFollowing ? null : <Button onClick={refresh}>{t('action.reload')}</Button>}
    </Card>
  );
}
