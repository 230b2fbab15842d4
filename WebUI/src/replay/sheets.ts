// Sheets of previews: GET /cameras/{id}/sprite.json names the tiles of an hour, its `url` is their picture. Pure.
import { lowerBound } from './geometry';

export interface SheetTile { index: number; x: number; y: number; time: string }
export interface Sheet {
  url: string; interval: number; columns: number; rows: number; tile_width: number; tile_height: number; is_complete: boolean; tiles: SheetTile[];
}
export interface SheetPicture { url: string; x: number; y: number; width: number; height: number; /** Milliseconds since 1970 UTC. */ time: number }

/** Pixels of the timeline that half a minute may take: where it takes more, a tile is too far from the time that is pointed at. */
export const COARSEST = 24;

/** The tile nearest to a time; null when none is as near as the distance of tiles. */
export function tileAt(sheet: Sheet, time: number): SheetPicture | null {
  const of = (tile: SheetTile) => Date.parse(tile.time);
  const next = lowerBound(sheet.tiles, time, of);
  const near = [sheet.tiles[next - 1], sheet.tiles[next]].filter((tile): tile is SheetTile => tile !== undefined)
    .sort((a, b) => Math.abs(of(a) - time) - Math.abs(of(b) - time))[0];
  if (!near || Math.abs(of(near) - time) > sheet.interval * 1000) return null;
  return { url: sheet.url, x: near.x, y: near.y, width: sheet.tile_width, height: sheet.tile_height, time: of(near) };
}
