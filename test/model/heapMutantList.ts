/**
 * Every line that the safety of heaps rests on, beyond that of zones, removed or changed, and the
 * scenario that must notice. As mutantList.ts.
 */

import { heapDeaths, heapScenarios } from './heapScenarios.ts'
import { textScenarios, textThrows } from './textScenarios.ts'
import { caught, type Trial } from './trial.ts'

const byHeap = caught(heapScenarios)
const byDeath = caught(heapDeaths, { victim: 'victim' })

const byText = caught(textScenarios)
const byThrow = caught(textThrows, { thrower: 'survivor' })
const RUNS = 'heap/runs'
const HEAP = 'heap/heap'
const WRITER = 'table/writer'

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
  byText('a large text is replaced under a reader', [
    'texts: a large one is used again at once',
    RUNS,
    'domain.expired(goal)',
    'true',
  ]),
  // ---- records that own blocks -----------------------------------------------------------------
  byText('a text is replaced twice under a reader', [
    'texts: what is replaced is used again at once',
    HEAP,
    'zone.zfreeSmr(item); hands.held--;',
    'zone.giveHeldBack(zone.holdRaw(item)); hands.held--;',
  ]),
  byText('a text is replaced under a reader', [
    'texts: what is replaced is not freed',
    WRITER,
    'hands.placed.held = 0; hands.replaced = old; hands.owes.held = this.blocks.count;',
    'hands.placed.held = 0; hands.replaced = old;',
  ]),
  byText('a text is deleted under a reader, and another written', [
    'texts: what is deleted is not freed',
    WRITER,
    'memory.store(at, memory.load(old + link)); hands.replaced = old; hands.owes.held = this.blocks.count;',
    'memory.store(at, memory.load(old + link)); hands.replaced = old;',
  ]),
  byText('texts: two calls each on one key', [
    'texts: a record that did not come in keeps its blocks',
    WRITER,
    'this.blocks.giveBack(made)',
    'hands.placed.held = 0',
  ]),
  byThrow('an exception in two sets, with texts', [
    'texts: the blocks of a record that is in count as made still',
    WRITER,
    'hands.placed.held = 0; hands.replaced = old;',
    'hands.replaced = old;',
  ]),
  byText('texts: two calls each on one key', [
    'texts: the record is freed before its blocks are read',
    WRITER,
    'this.blocks.freeOf(replaced); this.zone.zfreeSmr(replaced);',
    'this.zone.giveHeldBack(this.zone.holdRaw(replaced)); this.blocks.freeOf(replaced);',
  ]),
]
