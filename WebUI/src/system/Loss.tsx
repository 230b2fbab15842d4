import type { ReactElement } from 'react';
import { said } from '../core/said';
import { showAgo } from '../core/time';
import type { VolumeState } from '../core/types';
import { t, words } from '../i18n';

/** That a volume is lost, since when, what it means, and in small what was seen. */
export function Loss({ state, meaning }: { state: VolumeState; meaning: string }): ReactElement {
  const detail = said(state, 'reason');
  return (
    <div className="problem" role="alert">
      <p>{words(`volume.${state.cause ?? 'unknown'}`, detail ?? t('storage.unreachable'))} {meaning}</p>
      <p className="soft reason">{[state.since ? showAgo(state.since) : null, detail].filter(Boolean).join(' · ')}</p>
    </div>
  );
}
