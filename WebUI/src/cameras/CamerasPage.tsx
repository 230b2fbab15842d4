import type { ReactElement } from 'react';
import { t } from '../i18n';
import { usePlace } from '../app/router';
import { Empty } from '../ui/Bits';
import { AddCamera } from './AddCamera';
import { CameraEditor } from './CameraEditor';
import { CameraList } from './CameraList';
import { Groups } from './Groups';

export function CamerasPage(): ReactElement {
  const [, second, third] = usePlace().segments;
  if (second === undefined) return <CameraList />;
  if (second === 'new') return <AddCamera />;
  if (second === 'groups') return <Groups />;
  const id = Number(second);
  if (!Number.isSafeInteger(id)) return <div className="page"><Empty icon="search" title={t('error.noPage')} /></div>;
  return <CameraEditor key={id} id={id} tab={third ?? 'general'} />;
}
