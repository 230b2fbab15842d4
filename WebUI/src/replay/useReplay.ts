import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { Store } from '../core/store';
import { present } from '../core/now';
import { KEYS_ABOVE, ReplayClock } from './clock';
import { Film, type FilmState } from './film';

/** Milliseconds that pictures are waited for before those that have some go on alone. */
const PATIENCE = 6000;

export interface Replay {
  films: ReadonlyMap<number, Film>; position: () => number; isLive: boolean;
  /** Changes a few times a second while it plays. */
  time: Store<number>;
  states: Store<ReadonlyMap<number, FilmState>>; isPlaying: Store<boolean>; rate: Store<number>;
  seek: (time: number) => void; play: () => void; pause: () => void; toggle: () => void; setRate: (rate: number) => void; step: (direction: 1 | -1) => void; goLive: () => void;
}

/** Plays stored footage of cameras on one clock. `start` null begins live. */
export function useReplay(cameras: readonly number[], start: number | null, resumes: (time: number) => number | null): Replay {
  const [isLive, setLive] = useState(start === null);
  const clock = useRef<ReplayClock>();
  clock.current ??= new ReplayClock(start ?? present(), performance.now());
  const [films, setFilms] = useState<ReadonlyMap<number, Film>>(new Map());
  const filmsNow = useRef(films);
  const stores = useMemo(() => ({ time: new Store(start ?? present()), states: new Store<ReadonlyMap<number, FilmState>>(new Map()), isPlaying: new Store(false), rate: new Store(1) }), []);
  const resumesNow = useRef(resumes);
  resumesNow.current = resumes;
  const key = cameras.join();

  useEffect(() => {
    if (isLive) return undefined;
    const tell = () => stores.states.set(new Map([...filmsNow.current].map(([id, film]) => [id, film.state])));
    const made = new Map(key.split(',').filter(Boolean).map((text) => [Number(text), new Film(Number(text), tell)]));
    filmsNow.current = made;
    // Those before were ready; these are not yet.
    tell();
    setFilms(made);
    return () => { for (const film of made.values()) film.close(); };
  }, [key, isLive, stores]);

  const goLive = useCallback(() => {
    clock.current!.pause(performance.now());
    stores.isPlaying.set(false);
    clock.current!.setRate(1, performance.now());
    stores.rate.set(1);
    setLive(true);
  }, [stores]);

  useEffect(() => {
    let request = 0;
    let waitingSince = 0;
    const follow = () => {
      request = requestAnimationFrame(follow);
      const now = performance.now();
      const time = clock.current!;
      if (isLive) {
        stores.time.set(Math.floor(present() / 250) * 250);
        return;
      }
      let position = time.position(now);
      if (time.isPlaying && time.rate > 0 && position > present() - 1200) return goLive();
      const all = [...filmsNow.current.values()];
      for (const film of all) film.lead(position, time.rate, time.isPlaying && !time.isWaiting);
      if (time.isPlaying) {
        const isLoading = Math.abs(time.rate) <= KEYS_ABOVE && all.some((film) => film.state === 'loading');
        if (!isLoading) waitingSince = 0;
        else if (waitingSince === 0) waitingSince = now;
        time.wait(isLoading && now - waitingSince < PATIENCE, now);
        if (all.length > 0 && all.every((film) => film.state === 'gap' || film.state === 'failed') && time.rate > 0) {
          // Where nothing was recorded, playing goes on with what comes next.
          const next = all.map((film) => film.resumesAt(position)).filter((found): found is number => found !== null);
          const target = next.length > 0 ? Math.min(...next) : resumesNow.current(position);
          if (target !== null && target > position) {
            position = target;
            time.seek(target, now);
          } else if (present() - position < 20_000) return goLive();
          else {
            time.pause(now);
            stores.isPlaying.set(false);
          }
        }
      }
      stores.time.set(Math.floor(position / 100) * 100);
      return undefined;
    };
    request = requestAnimationFrame(follow);
    return () => cancelAnimationFrame(request);
  }, [isLive, goLive, stores]);

  const position = useCallback(() => isLive ? present() : clock.current!.position(performance.now()), [isLive]);
  const seek = useCallback((time: number) => {
    clock.current!.seek(time, performance.now());
    stores.time.set(time);
    setLive(false);
  }, [stores]);
  const play = useCallback(() => {
    if (clock.current!.rate === 0) clock.current!.setRate(1, performance.now());
    clock.current!.play(performance.now());
    stores.isPlaying.set(true);
  }, [stores]);
  const pause = useCallback(() => {
    clock.current!.pause(performance.now());
    stores.isPlaying.set(false);
  }, [stores]);
  const setRate = useCallback((rate: number) => {
    clock.current!.setRate(rate, performance.now());
    stores.rate.set(rate);
  }, [stores]);
  const toggle = useCallback(() => {
    if (isLive) {
      // Pausing the present is looking at it.
      seek(present() - 2000);
      return;
    }
    if (clock.current!.isPlaying) {
      pause();
      return;
    }
    // Playing is forward; backwards goes by its own key.
    if (clock.current!.rate < 0) setRate(1);
    play();
  }, [isLive, play, pause, seek, setRate]);
  const step = useCallback((direction: 1 | -1) => {
    pause();
    const film = [...filmsNow.current.values()][0];
    seek(film?.beside(position(), direction) ?? position() + direction * 40);
  }, [pause, seek, position]);
  return useMemo(() => ({ films, position, isLive, ...stores, seek, play, pause, toggle, setRate, step, goLive }), [films, position, isLive, stores, seek, play, pause, toggle, setRate, step, goLive]);
}
