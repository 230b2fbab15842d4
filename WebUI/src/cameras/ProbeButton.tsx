import { useEffect, useState, type ReactElement } from 'react';
import { api } from '../core/api';
import { pictureBlob } from '../core/pictures';
import { said } from '../core/said';
import { t } from '../i18n';
import { Button } from '../ui/Button';
import { Icon } from '../ui/Icon';
import { reason } from '../ui/Toasts';

export interface ProbeAnswer { success: boolean; width: number | null; height: number | null; error: string | null; codec?: string | null; audio_codec?: string | null; /** A data URL. */ picture?: string | null }

/** Looks at a stream before it is saved. */
export function ProbeButton({ url, transport, onAnswer, id }: { url: string; transport: string; onAnswer?: (answer: ProbeAnswer) => void; id?: string }): ReactElement {
  const [state, setState] = useState<{ kind: 'good' | 'bad' | 'busy'; text: string } | null>(null);
  const [picture, setPicture] = useState<string | null>(null);
  useEffect(() => () => { if (picture) URL.revokeObjectURL(picture); }, [picture]);
  const probe = async () => {
    setPicture(null);
    if (!url.trim()) {
      setState({ kind: 'bad', text: t('cameras.urlFirst') });
      return;
    }
    setState({ kind: 'busy', text: t('cameras.probing') });
    try {
      const answer = await api.post<ProbeAnswer>('/cameras/probe-stream', { rtsp_url: url.trim(), rtsp_transport: transport, picture: true });
      if (answer.success) {
        const parts = [`${answer.width} × ${answer.height}`, answer.codec?.toUpperCase(), answer.audio_codec ? t('cameras.withSound', { codec: answer.audio_codec.toUpperCase() }) : t('cameras.noSound')];
        setState({ kind: 'good', text: parts.filter(Boolean).join(' · ') });
        const blob = answer.picture ? pictureBlob(answer.picture) : null;
        setPicture(blob ? URL.createObjectURL(blob) : null);
      } else setState({ kind: 'bad', text: said(answer, 'error') ?? t('error.title') });
      onAnswer?.(answer);
    } catch (problem) { setState({ kind: 'bad', text: reason(problem) }); }
  };
  return (
    <div className="probe-row wide">
      <Button id={id} icon="search" onClick={probe}>{t('cameras.probe')}</Button>
      <p className={`probe ${state?.kind ?? ''}`} role="status" id={id ? `${id}-result` : undefined}>
        {state ? <>{state.kind === 'busy' ? <span className="wheel" aria-hidden="true" /> : <Icon name={state.kind === 'good' ? 'check' : 'warning'} />}<span>{state.text}</span></> : null}
      </p>
      {picture ? <img className="probe-picture" src={picture} alt={t('cameras.probePicture')} id={id ? `${id}-picture` : undefined} /> : null}
    </div>
  );
}
