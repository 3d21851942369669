/**
 * The questions by name, in the order in which they are asked.
 *
 * Each is loaded only when it is wanted: a variant's process should hold its own question and
 * nothing else.
 */
import type { Question } from '../harness/question.ts'

const questions: Readonly<Record<string, () => Promise<Question>>> = {
  'read-section': async () => (await import('./readSection.ts')).default,
  'alloc-free': async () => (await import('./allocFree.ts')).default,
  heap: async () => (await import('./heap.ts')).default,
  'frees-per-advance': async () => (await import('./freesPerAdvance.ts')).default,
  'table-lookup': async () => (await import('./tableLookup.ts')).default,
  'small-table': async () => (await import('./smallTable.ts')).default,
  text: async () => (await import('./text.ts')).default,
  near: async () => (await import('./near.ts')).default,
  'table-update': async () => (await import('./tableUpdate.ts')).default,
  growth: async () => (await import('./growth.ts')).default,
  seeds: async () => (await import('./seeds.ts')).default,
  hits: async () => (await import('./hits.ts')).default,
  'nearest-key': async () => (await import('./nearestKey.ts')).default,
  knobs: async () => (await import('./knobs.ts')).default,
  reap: async () => (await import('./reap.ts')).default,
  footprint: async () => (await import('./footprint.ts')).default,
}

export const questionNames: readonly string[] = Object.keys(questions)

export function loadQuestion(name: string): Promise<Question> {
  const load = questions[name]
  if (load === undefined) throw new RangeError(`no question is called "${name}"`)
  return load()
}
