import { api } from '../core/api';
import { HOUR } from './geometry';
import { tileAt, type Sheet, type SheetPicture } from './sheets';

/** Milliseconds after which the sheet of an hour that goes on is asked for again. */
const FRESH = 60_000;
const MOST = 60;

interface Held { sheet: Promise<Sheet | null>; at: number; isComplete: boolean }

/** Sheets by camera and hour, asked for when they are needed; pictures that are there are told from those still being made. */
export class Sheets {
  private readonly held = new Map<string, Held>();
  private readonly pictures = new Map<string, Promise<boolean>>();

  /** The tile for a time, once its sheet is there; null where a single picture has to do. */
  async at(camera: number, time: number): Promise<SheetPicture | null> {
    const sheet = await this.sheet(camera, time);
    const tile = sheet && tileAt(sheet, time);
    return tile && await this.isThere(tile.url) ? tile : null;
  }

  private sheet(camera: number, time: number): Promise<Sheet | null> {
    const hour = Math.floor(time / HOUR);
    const key = `${camera} ${hour}`;
    const old = this.held.get(key);
    if (old && (old.isComplete || performance.now() - old.at < FRESH)) return old.sheet;
    const held: Held = { sheet: Promise.resolve(null), at: performance.now(), isComplete: false };
    // An hour without footage has no sheet.
    held.sheet = api.get<Sheet>(`/cameras/${camera}/sprite.json`, { t: hour * 3600 }).then((sheet) => {
      held.isComplete = sheet.is_complete;
      return sheet;
    }, () => null);
    this.held.set(key, held);
    if (this.held.size > MOST) this.held.delete(this.held.keys().next().value as string);
    return held.sheet;
  }

  private isThere(url: string): Promise<boolean> {
    let found = this.pictures.get(url);
    if (!found) {
      found = new Promise((resolve) => {
        const picture = new Image();
        picture.onload = () => resolve(true);
        picture.onerror = () => {
          this.pictures.delete(url);
          resolve(false);
        };
        picture.src = url;
      });
      this.pictures.set(url, found);
      if (this.pictures.size > MOST) this.pictures.delete(this.pictures.keys().next().value as string);
    }
    return found;
  }
}

export const sheets = new Sheets();
