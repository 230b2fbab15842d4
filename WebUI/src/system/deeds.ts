import { words } from '../i18n';

// What requests mean to people, by their routes as the audit trail has them. Others are shown as they are.

const deeds: Record<string, readonly string[]> = {
  signIn: ['POST /auth/login'],
  signOut: ['POST /auth/logout'],
  setUp: ['POST /auth/setup'],
  secondFactor: ['POST /auth/2fa/disable', 'POST /auth/2fa/enable', 'POST /auth/2fa/recovery-codes', 'POST /auth/2fa/setup'],
  device: ['DELETE /auth/devices/{device_id}'],
  streamingSecret: ['POST /auth/streaming-secret', 'DELETE /auth/streaming-secret'],
  layout: ['PUT /auth/me/layouts', 'PUT /auth/me/layouts/{name}', 'DELETE /auth/me/layouts', 'DELETE /auth/me/layouts/{name}'],
  apiKeyMade: ['POST /v1/api-tokens'],
  apiKeyDeleted: ['DELETE /v1/api-tokens/{token_id}'],
  cameraAdded: ['POST /cameras', 'POST /cameras/{camera_id}/clone'],
  cameraChanged: ['PUT /cameras/{camera_id}', 'POST /cameras/{camera_id}/recording', 'POST /cameras/{camera_id}/copy-settings'],
  cameraDeleted: ['DELETE /cameras/{camera_id}', 'POST /cameras/bulk-delete'],
  camerasImported: ['POST /cameras/import', 'POST /cameras/import/motioneye'],
  camerasExported: ['POST /cameras/export/bulk', 'GET /cameras/export/all', 'GET /cameras/{camera_id}/export'],
  camerasOrdered: ['POST /cameras/reorder'],
  cameraCleaned: ['POST /cameras/{camera_id}/cleanup'],
  probed: ['POST /cameras/probe-stream'],
  snapshot: ['POST /cameras/{camera_id}/snapshot'],
  hold: ['PUT /cameras/{camera_id}/holds'],
  release: ['DELETE /cameras/{camera_id}/holds', 'DELETE /cameras/{camera_id}/holds/{hold_id}'],
  eventDeleted: ['DELETE /events/{event_id}', 'POST /events/bulk-delete'],
  eventsDeleted: ['DELETE /events/bulk/all'],
  exported: ['POST /exports', 'GET /cameras/{camera_id}/export.mp4', 'GET /cameras/{camera_id}/timelapse.mp4', 'GET /events/{event_id}/download'],
  group: ['POST /groups', 'DELETE /groups/{group_id}', 'POST /groups/bulk-delete', 'POST /groups/{group_id}/cameras', 'POST /groups/{group_id}/action'],
  userAdded: ['POST /users'],
  userChanged: ['PUT /users/{user_id}', 'POST /users/{user_id}/avatar', 'DELETE /users/{user_id}/avatar', 'PATCH /auth/me/language'],
  userDeleted: ['DELETE /users/{user_id}'],
  password: ['PUT /users/{user_id}/password'],
  settings: ['POST /settings/bulk', 'PUT /settings/{key}'],
  backupMade: ['POST /settings/backup/run'],
  backupTaken: ['GET /settings/backup/export', 'POST /settings/backup/export'],
  restored: ['POST /settings/backup/import', 'POST /settings/backup/restore-file/{filename}'],
  backupDeleted: ['DELETE /settings/backup/{filename}'],
  cleanup: ['POST /settings/cleanup'],
  sync: ['POST /settings/sync-orphans'],
  storage: ['POST /storage/profiles', 'PUT /storage/profiles/{profile_id}', 'DELETE /storage/profiles/{profile_id}'],
  bucket: ['POST /storage/s3', 'PUT /storage/s3/{profile_id}', 'DELETE /storage/s3/{profile_id}'],
  bucketTested: ['POST /storage/s3/{profile_id}/test'],
  forgotten: ['POST /storage/s3/{profile_id}/forget', 'POST /storage/profiles/{profile_id}/forget'],
  logs: ['GET /logs/download'],
};

const byRoute = new Map(Object.entries(deeds).flatMap(([deed, routes]) => routes.map((route) => [route, deed] as const)));

/** What a request did, in the viewer's words; null for one that has none. */
export function deedOf(entry: { method: string; route: string }): string | null {
  const deed = byRoute.get(`${entry.method} ${entry.route.replace(/^\/api(?=\/)/, '')}`);
  return deed ? words(`deed.${deed}`, deed) : null;
}
