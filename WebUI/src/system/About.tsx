import { useEffect, useState, type ReactElement } from 'react';
import type { ServerFacts } from '../core/types';
import { t } from '../i18n';
import { mediaSourceClass } from '../player/source';
import { Card } from '../ui/Bits';
import { Mark } from '../ui/Icon';

async function text(path: string): Promise<string> {
  const answer = await fetch(path);
  return answer.ok ? answer.text() : '';
}

export function About(): ReactElement {
  const [facts, setFacts] = useState<ServerFacts | null>(null);
  const [licences, setLicences] = useState('');
  useEffect(() => {
    // Without an answer the lines stay empty; the banner tells that the server is away.
    text('/ui/server.json').then((found) => { if (found) setFacts(JSON.parse(found) as ServerFacts); }, () => {});
    text('/ui/licences.txt').then(setLicences, () => {});
  }, []);
  return (
    <>
      <Card>
        <p className="brand about-brand"><Mark size={44} /><span>VibeNVR</span></p>
        <dl className="pairs">
          <dt>{t('about.version')}</dt><dd>{facts?.version ?? '–'}</dd>
          <dt>{t('about.zone')}</dt><dd>{facts?.time_zone ?? '–'}</dd>
          <dt>{t('about.browser')}</dt><dd>{[isSecureContext && 'VideoDecoder' in window ? 'WebCodecs' : null, mediaSourceClass() ? 'MSE' : null, 'JPEG'].filter(Boolean).join(', ')}</dd>
        </dl>
        <p className="row"><a className="button" href="/docs" target="_blank" rel="noreferrer">{t('about.api')}</a></p>
      </Card>
      <Card title={t('about.shortcuts')}>
        <dl className="pairs keys">
          {([['← →', 'about.keyNeighbours'], ['+ − 0', 'about.keyZoom'], ['F', 'live.full'], ['M', 'live.soundOn'], [t('about.space'), 'replay.play'], ['J K L', 'about.keyShuttle'], [', .', 'about.keyFrames'], ['N P', 'about.keyEvents'], ['I O', 'about.keyRange'], ['X', 'about.keyChoose'], [t('about.del'), 'action.delete']] as const).map(([keys, key]) => (
            <div key={keys}><dt><kbd>{keys}</kbd></dt><dd>{t(key)}</dd></div>
          ))}
        </dl>
      </Card>
      <Card title={t('about.licences')}><pre className="licences" tabIndex={0}>{licences}</pre></Card>
    </>
  );
}
