/**
 * How many frees share one step of the clock?
 *
 * The batching claim, counted and not timed: a free bucket is retired when it is full, and only
 * then the clock of the domain is moved, once. So a zone with buckets of B must show B frees per
 * advance, whatever the machine. The last, part-filled bucket is sealed, and the numbers of frees
 * are multiples of B, so nothing is rounded.
 */
import type { Question } from '../harness/question.ts'

const BUCKETS = [1, 4, 16, 64, 240, 1024]
const FULL_BUCKETS = 1000

async function count(bucket: number) {
  const { Arena } = await import('uma-smr')
  const arena = Arena.create({ bytes: 2 ** 24, maxWorkers: 8 })
  const smr = arena.smr('bench')
  const zone = arena.zone('bench', { bytes: 64, smr, bucket })
  const frees = bucket * FULL_BUCKETS
  for (let i = 0; i < frees; i++) zone.zfreeSmr(zone.zallocSmr())
  zone.seal()
  const counted = zone.stats()
  if (counted.frees !== frees) throw new Error(`stats count ${counted.frees} of ${frees} frees`)
  const { advances } = smr.stats()
  return {
    facts: {
      frees,
      'buckets retired': counted.retired,
      advances,
      'frees per advance': frees / advances,
      'items ever made': counted.created,
    },
  }
}

const question: Question = {
  name: 'frees-per-advance',
  asks: 'how many frees share one step of the clock? (counted, not timed)',
  exact: true,
  groups: [
    {
      name: 'bucket size',
      operation: 'zallocSmr + zfreeSmr, 1,000 buckets full',
      baseline: '',
      variants: BUCKETS.map((bucket) => ({ name: `${bucket}`, run: () => count(bucket) })),
    },
  ],
}

export default question
