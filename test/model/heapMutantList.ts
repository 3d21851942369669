/**
 * Every line that the safety of heaps rests on, beyond that of zones, removed or changed, and the
 * scenario that must notice. As mutantList.ts.
 */

import { heapDeaths, heapScenarios } from './heapScenarios.ts'
import { caught, type Trial } from './trial.ts'

const byHeap = caught(heapScenarios)
const byDeath = caught(heapDeaths, { victim: 'victim' })

const RUNS = 'heap/runs'

export const HEAP_TRIALS: readonly Trial[] = [
  byHeap('large plain blocks change hands', [
    'heap: its large blocks are not locked',
    RUNS,
    'this.space.locks.acquireAndRepair(this.at + HeapWords.lock, this.what, this.whenDead)',
    '',
  ]),
  byHeap('a large block under a reader', [
    'heap: a large block is used again at once',
    RUNS,
    'domain.expired(goal)',
    'true',
  ]),
  byHeap('two retired large blocks, one under a reader', [
    'heap: only the first retired block is polled',
    RUNS,
    'if (!isMet(memory.peek(run + RunWords.goal))) break',
    '',
  ]),
  byHeap('a large block under a reader', [
    'heap: a large block is stamped with a goal that has been met',
    RUNS,
    'memory.poke(run + RunWords.goal, domain.stamp())',
    'memory.poke(run + RunWords.goal, memory.load(domain.wrAt))',
  ]),
  byDeath('death in replacing a large block', [
    'heap: retired blocks are not listed again after a death',
    RUNS,
    'retired.push(base)',
    '',
  ]),
  byDeath('death in a large alloc', [
    'heap: a block that was being made stays',
    RUNS,
    'if (state === RunState.made) this.space.pages.release(base)',
    'if (state === RunState.made) this.memory',
  ]),
  byDeath('death in the first block of a size', [
    'the sweep takes the blocks of heaps',
    'arena/sweep',
    'kind === RunKind.block ? memory.peekRacy(base + RunWords.heap) : base',
    'base',
  ]),
]
