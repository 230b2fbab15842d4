// The parts of node that the tests use; Debian's TypeScript comes without its types.
declare module 'node:assert' { export const strict: { equal(a: unknown, b: unknown, m?: string): void; deepEqual(a: unknown, b: unknown, m?: string): void; ok(a: unknown, m?: string): void } }
declare module 'node:test' {
  export function test(name: string, body: () => void): void;
  export const mock: { timers: { enable(options: { apis: string[] }): void; tick(ms: number): void; reset(): void } };
}
