import type { ReactElement } from 'react';
import { showBytes, showNumber } from '../core/time';
import { t, words } from '../i18n';
import { Link } from '../app/router';
import { Badge, Card } from '../ui/Bits';
import { isShort, useForecast } from './forecastFacts';

/** How long the footage of each camera will be there, and what ends it. */
export function Forecast(): ReactElement | null {
  const forecast = useForecast();
  if (!forecast || forecast.cameras.length === 0) return null;
  const days = (value: number) => t('storage.inDays', { count: showNumber(value, value < 10 ? 1 : 0) });
  return (
    <Card title={t('storage.forecast')}>
      <p className="soft">{t('storage.forecastHint')}</p>
      {forecast.cleanup_enabled ? null : <p className="note warn">{t('storage.cleanupOff')}</p>}
      <div className="table-wrap">
        <table id="forecast">
          <thead><tr><th>{t('events.camera')}</th><th className="number">{t('dashboard.perDay')}</th><th className="number">{t('storage.stored')}</th><th>{t('storage.kept')}</th><th>{t('dashboard.wanted')}</th></tr></thead>
          <tbody>
            {forecast.cameras.map((camera) => (
              <tr key={camera.camera_id} data-camera={camera.camera_id}>
                <td><Link to={`/cameras/${camera.camera_id}/recording`}>{camera.name}</Link></td>
                <td className="number">{camera.bytes_per_day > 0 ? showBytes(camera.bytes_per_day) : '–'}</td>
                <td className="number">{showBytes(camera.stored_bytes)}</td>
                <td>{camera.days === null ? '–' : <>{days(camera.days)} {isShort(camera) ? <Badge kind="warn">{t('storage.short')}</Badge> : null}{camera.limited_by ? <span className="soft limited"> {words(`limit.${camera.limited_by}`, camera.limited_by.replaceAll('_', ' '))}</span> : null}</>}</td>
                <td>{camera.configured_days === null ? t('choice.Forever') : days(camera.configured_days)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}
