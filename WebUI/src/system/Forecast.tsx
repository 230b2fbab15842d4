import type { ReactElement } from 'react';
import { showBytes, showNumber } from '../core/time';
import { t, words } from '../i18n';
import { Link } from '../app/router';
import { Badge, Card } from '../ui/Bits';
import { Table } from '../ui/Table';
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
      <Table id="forecast" label={t('storage.forecast')} columns={[
        { label: t('events.camera') }, { label: t('dashboard.perDay'), kind: 'number' }, { label: t('storage.stored'), kind: 'number' }, { label: t('storage.kept') },
        { label: t('dashboard.wanted') },
      ]} rows={forecast.cameras.map((camera) => ({
        key: camera.camera_id, data: { 'data-camera': camera.camera_id }, cells: [
          <Link to={`/cameras/${camera.camera_id}/recording`}>{camera.name}</Link>,
          camera.bytes_per_day > 0 ? showBytes(camera.bytes_per_day) : '–',
          showBytes(camera.stored_bytes),
          camera.days === null ? '–' : <>{days(camera.days)} {isShort(camera) ? <Badge kind="warn">{t('storage.short')}</Badge> : null}{camera.limited_by ? <span className="soft limited"> {words(`limit.${camera.limited_by}`, camera.limited_by.replaceAll('_', ' '))}</span> : null}</>,
          camera.configured_days === null ? t('choice.Forever') : days(camera.configured_days),
        ],
      }))} />
    </Card>
  );
}
