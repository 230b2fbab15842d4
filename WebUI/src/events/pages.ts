// The pages of a very long list that are held, and which are fetched next. Pure.

/** Pages kept; those looked at longest ago go first. */
const MOST_HELD = 40;
/** Pages asked for at once: who drags a scroll bar over a million elements looks at the last place only. */
const MOST_ASKED = 2;

export class Pages<T extends { id: number }> {
  private readonly held = new Map<number, T[]>();
  private readonly asked = new Set<number>();
  private wanted: number[] = [];

  /** `size`: elements of a page. */
  constructor(private readonly size: number) {}

  at(index: number): T | undefined { return this.held.get(Math.floor(index / this.size))?.[index % this.size]; }

  /** Where an element stands; null when it is on no page that is held. */
  indexOf(id: number): number | null {
    for (const [number, items] of this.held) {
      const place = items.findIndex((item) => item.id === id);
      if (place >= 0) return number * this.size + place;
    }
    return null;
  }

  /** What is looked at now, most important first; it takes the place of what was wanted before. */
  want(numbers: readonly number[]): void {
    this.wanted = [...numbers];
    for (const number of numbers) {
      const items = this.held.get(number);
      if (!items) continue;
      this.held.delete(number);
      this.held.set(number, items);
    }
  }

  /** The pages to ask for now; each has to be answered by `came` or `failed`. */
  next(): number[] {
    const found: number[] = [];
    for (const number of this.wanted) {
      if (this.asked.size >= MOST_ASKED) break;
      if (this.held.has(number) || this.asked.has(number)) continue;
      this.asked.add(number);
      found.push(number);
    }
    return found;
  }

  came(number: number, items: T[]): void {
    this.asked.delete(number);
    this.held.delete(number);
    this.held.set(number, items);
    for (const old of this.held.keys()) {
      if (this.held.size <= MOST_HELD) break;
      this.held.delete(old);
    }
  }

  /** It is wanted anew before it is asked for again: what fails is not hammered at. */
  failed(number: number): void {
    this.asked.delete(number);
    this.wanted = this.wanted.filter((one) => one !== number);
  }
}
