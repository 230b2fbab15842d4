// The weekly schedule of a camera. Pure.

export const days = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const;

/** The minutes of a day in which detection works. An end before the begin reaches into the next day. */
export function hoursOf(day: number, value: (name: string) => unknown): { start: number; end: number }[] {
  const of = (index: number) => {
    const name = `schedule_${days[index]!}`;
    const minutes = (field: string, standard: string) => {
      const text = String(value(field) ?? standard);
      return Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5));
    };
    return { isOn: value(name) === true, start: minutes(`${name}_start`, '00:00'), end: minutes(`${name}_end`, '23:59') };
  };
  const today = of(day);
  const yesterday = of((day + 6) % 7);
  return [
    ...(yesterday.isOn && yesterday.end < yesterday.start ? [{ start: 0, end: yesterday.end + 1 }] : []),
    ...(today.isOn ? [{ start: today.start, end: today.end < today.start ? 1440 : today.end + 1 }] : []),
  ];
}
