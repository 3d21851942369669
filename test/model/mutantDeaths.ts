/**
 * Lines that only death can tell from nothing: redo records, marks, repairs and what a reaper does.
 */

import { arenaDeaths, REAPER, reaperDeaths } from './arenaDeaths.ts'
import { undoDeaths } from './arenaScenarios.ts'
import { batchDeaths } from './batchDeaths.ts'
import { accompaniedDeaths, deathScenarios } from './deathScenarios.ts'
import { VICTIM } from './deathStage.ts'
import { IN_BATCH, kegDeaths, twoKegDeaths } from './kegDeaths.ts'
import { successorScenarios } from './successorScenarios.ts'
import { caught, type Trial } from './trial.ts'

const byDeath = caught(deathScenarios, { victim: VICTIM })
const byBatch = caught(batchDeaths, { victim: VICTIM })
const byCompany = caught(accompaniedDeaths, { victim: VICTIM })
const byArena = caught(arenaDeaths, { victim: VICTIM })
const byMaking = caught(undoDeaths, { victim: VICTIM })
const bySuccessors = caught(successorScenarios)
const byKeg = caught(kegDeaths, { victim: VICTIM })
const byTwoInKeg = caught(twoKegDeaths, {
  victim: REAPER,
  rules: { kill: { thread: VICTIM, afterStep: IN_BATCH + 2 } },
})
const byTwo = caught(reaperDeaths, { victim: REAPER })

const PAGES = 'space/pages'
const SUPPLY = 'zone/supply'
const HOOKS = 'zone/hooks'
const ADOPT = 'zone/adopt'
const CACHE = 'zone/cache'
const UNPOP =
  'memory.poke(bucket + BucketWords.entries + count, item); if (memory.peek(bucket + BucketWords.destroyed) <= count)'
const KEG = 'zone/keg'
const MOVES = 'zone/kegBatch'
const DEPOT = 'zone/depot'

export const DEATH_TRIALS: readonly Trial[] = [
  byArena('death in making a counter, and adding to it', [
    'the dead: a counter forgets what they have added',
    'arena/counter',
    'for (let slot = 0; slot < this.space.maxWorkers; slot++) {',
    'for (const slot of this.space.workers.attached()) {',
  ]),
  byDeath('death in sections', [
    'the dead: a section stays open',
    'smr/reap',
    'memory.swap(reader + ReaderWords.seq, INVALID) !== INVALID',
    'memory.load(reader + ReaderWords.seq) !== INVALID',
  ]),
  byCompany(
    'death in replace beside a reader',
    [
      'the door: what the dead had freed is called safe',
      ADOPT,
      '(owner >= Owner.free || destroyed < count)',
      '(owner < Owner.free && destroyed < count)',
    ],
    { rules: { sample: { schedules: 20, depth: 3 } } },
  ),
  byDeath('death in alloc: expired items, checked', [
    'the dead: what was destroyed last is not filled',
    ADOPT,
    'if (trashing)',
    'if (false)',
  ]),
  byDeath('death in alloc: expired items', [
    'a destructor is not marked when it begins',
    HOOKS,
    'memory.poke(bucket + BucketWords.destroyed, i + 1)',
    '',
  ]),
  byDeath('death in init and fini', [
    'items after fini are not marked',
    HOOKS,
    'space.memory.poke(bucket + BucketWords.raw, 1)',
    '',
  ]),
  byDeath('death in init and fini', [
    'items before init are not marked',
    SUPPLY,
    'hooks.init === undefined ? 0 : 1',
    '0',
  ]),
  byDeath('death in free: full buckets', [
    'the cache: a move is not redone',
    ADOPT,
    'finishMove(cache, buckets, name);\n    cache.unloadAlloc()',
    'cache.unloadAlloc()',
  ]),
  byBatch('death in alloc: a batch that is not to be had, the last bucket part-filled', [
    'the cache: what goes back is counted before it is there',
    CACHE,
    UNPOP,
    `memory.poke(bucket + BucketWords.count, count + 1); ${UNPOP}`,
  ]),
  byDeath('death in alloc: fresh items', [
    'the keg: a batch out is not written down',
    MOVES,
    'this.set(this.keg + KegWords.step, KegStep.take)',
    '',
  ]),
  byDeath('death in alloc: fresh items, in slabs of several pages', [
    'pages: the first page of a run is written first',
    'space/pageTable',
    'for (let inner = page + sizeOf(orderOf(entry)) - 1; inner >= page; inner--) {',
    'for (let inner = page; inner < page + sizeOf(orderOf(entry)); inner++) {',
  ]),
  byDeath('death in reclaim: drain', [
    'the keg: a batch back is not written down',
    MOVES,
    'this.set(this.keg + KegWords.step, KegStep.give)',
    '',
  ]),
  byBatch('death in alloc: a batch that is not to be had, in small buckets', [
    'the keg: an item that goes back by itself is not written down',
    MOVES,
    'this.set(this.keg + KegWords.step, KegStep.giveOne)',
    '',
  ]),
  byKeg('death in alloc: a small batch after a larger one', [
    'the keg: a batch out is named before it is measured',
    MOVES,
    'this.set(this.keg + KegWords.stepItems, count + items);\n        this.set(this.keg + KegWords.step, KegStep.take);',
    'this.set(this.keg + KegWords.step, KegStep.take);\n        this.set(this.keg + KegWords.stepItems, count + items);',
  ]),
  byKeg('death in reclaim: a small batch after a larger one', [
    'the keg: a batch back is named before it is measured',
    MOVES,
    'this.set(this.keg + KegWords.stepItems, keep);\n        this.set(this.keg + KegWords.step, KegStep.give);',
    'this.set(this.keg + KegWords.step, KegStep.give);\n        this.set(this.keg + KegWords.stepItems, keep);',
  ]),
  byKeg('death in alloc: after a batch back whose bucket is in use again', [
    'the keg: a batch back that is over stays written down',
    MOVES,
    'this.set(bucket + BucketWords.count, keep);\n        this.set(this.keg + KegWords.step, KegStep.none);',
    'this.set(bucket + BucketWords.count, keep);',
  ]),
  byTwoInKeg(
    'two deaths: a batch back',
    [
      'the keg: a batch that is done again is counted before it is done',
      MOVES,
      'for (let i = first; i < end; i++) {',
      'this.set(bucket + BucketWords.count, wanted);\n        for (let i = first; i < end; i++) {',
    ],
    { rules: { kill: { thread: VICTIM, afterStep: IN_BATCH } } },
  ),
  byTwoInKeg('two deaths: a batch out', [
    'the keg: a batch that is done again is over before it is counted',
    MOVES,
    'this.set(bucket + BucketWords.count, wanted);\n        this.set(this.keg + KegWords.step, KegStep.none);',
    'this.set(this.keg + KegWords.step, KegStep.none);\n        this.set(bucket + BucketWords.count, wanted);',
  ]),
  byTwoInKeg('two deaths: a batch out, and the next', [
    'the keg: a batch that was done again stays written down',
    MOVES,
    'this.set(bucket + BucketWords.count, wanted);\n        this.set(this.keg + KegWords.step, KegStep.none);',
    'this.set(bucket + BucketWords.count, wanted);',
  ]),
  byDeath('death in alloc: fresh items', [
    'the keg: counts are not made anew',
    KEG,
    'this.whenDead = () => this.repair()',
    'this.whenDead = () => {}',
  ]),
  byDeath('death in free: full buckets', [
    'the depot: lists are not made anew',
    DEPOT,
    '() => this.lists.rebuild()',
    '() => {}',
  ]),
  byArena('death in taking pages', [
    'pages: lists are not made anew',
    PAGES,
    '() => this.repair()',
    '() => {}',
  ]),
  byArena('death in pages with a redo record', [
    'pages: a promise is not kept',
    PAGES,
    'this.table.rebuild();\n        this.redo();',
    'this.table.rebuild();',
  ]),
  byArena('death in pages with a redo record', [
    'pages: the promise is made before its terms',
    PAGES,
    'memory.poke(Header.redoRun, base);\n        memory.poke(Header.redoEntry, entry);\n        memory.poke(Header.redoTarget, target);',
    'memory.poke(Header.redoTarget, target);\n        memory.poke(Header.redoRun, base);\n        memory.poke(Header.redoEntry, entry);',
  ]),
  byArena('death in making a zone', [
    'the dead: reserved pages stay',
    'arena/reap',
    'pages.releaseReservedBy(slot)',
    '0',
  ]),
  byMaking('death in making a zone with a reserve', [
    'a reserve whose maker has died is not had by who opens the zone next',
    'zone/open',
    "if (reserve > 0 && purpose !== 'reclaim')",
    "if (found.created && reserve > 0 && purpose !== 'reclaim')",
  ]),
  byArena('death in ending a zone', [
    'the dead: half-ended things stay',
    'arena/reap',
    'runs += sweepOrphans(space, left);',
    '',
  ]),
  byTwo(
    'two deaths: frees',
    [
      'a dead reaper: its work is not taken over',
      'arena/reap',
      'workers.unreaped().find(',
      '[].find(',
    ],
    { rules: { kill: { thread: VICTIM, afterStep: 7 } } },
  ),
  bySuccessors('two reapers and a successor', [
    'a reaper goes by the slot, not by the worker that was seen',
    'arena/reap',
    'workers.beginReap(slot, locks.signature, generation)',
    'workers.beginReap(slot, locks.signature)',
  ]),
  bySuccessors('two reapers of one who was buried, and a successor who is buried too', [
    'a reaper who comes too late stays the heir of the successor',
    'space/workers',
    'if (this.isBuried({ slot, generation }))\n            return { slot, generation };',
    'return { slot, generation };',
  ]),
  bySuccessors('two reapers and a successor', [
    '[B] a worker is buried by a store',
    'space/workers',
    'this.step(slot, generation, 1)',
    '(this.memory.store(this.address(slot), (generation + 1) | 0), true)',
  ]),
  byArena('death in ending a zone, and another is made before it is reaped', [
    'zone: its own words go back before its slabs',
    'zone/reclaim',
    'keg.abolish();\n    buckets.keg.abolish();\n    space.pages.release(at);',
    'space.pages.release(at);\n    keg.abolish();\n    buckets.keg.abolish();',
  ]),
  byArena('death in ending a zone, and another is made before it is reaped', [
    'the directory forgets what a dead worker had left unswept',
    'space/directory',
    'this.memory.store(Header.unswept, unswept);',
    'this.memory.store(Header.unswept, 0);',
  ]),
]
