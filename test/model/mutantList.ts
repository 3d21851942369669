/**
 * Every line that safety rests on, removed or changed, and the scenario that must notice.
 *
 * The text is that of the built library. A mutant that no scenario can tell from the original is
 * not kept: either the line is not needed, or the alarm is missing.
 */

import { birthScenarios, edgeScenarios, undoScenarios } from './arenaScenarios.ts'
import { clockScenarios } from './clockScenarios.ts'
import { memoryScenarios } from './memoryScenarios.ts'
import { DEATH_TRIALS } from './mutantDeaths.ts'
import { reserveScenarios } from './reserveScenarios.ts'
import { smrScenarios } from './smrScenarios.ts'
import { successorScenarios } from './successorScenarios.ts'
import { timeLimitScenarios } from './timeLimitScenarios.ts'
import { caught, type Trial } from './trial.ts'
import { zoneScenarios } from './zoneScenarios.ts'

export type { Trial } from './trial.ts'

const bySmr = caught(smrScenarios)
const byClock = caught(clockScenarios)
const byMemory = caught(memoryScenarios)
const byEdge = caught(edgeScenarios)
const byBirth = caught(birthScenarios)
const byUndo = caught(undoScenarios)
const byZone = caught(zoneScenarios)
const byReserve = caught(reserveScenarios)
const bySuccessor = caught(successorScenarios)
/** As the catalog samples it. */
const byTime = caught(timeLimitScenarios, {
  rules: { impatience: 2, sample: { schedules: 2000, depth: 12 } },
})

const DOMAIN = 'smr/sections'
const GOALS = 'smr/goals'
const COMPOUND = 'memory/compound'
const CLOCK = 'smr/clock'
const POLL = 'smr/poll'
const LOCK = 'space/lock'
const SPACE = 'space/space'
const PAGES = 'space/pages'
const SUPPLY = 'zone/supply'
const KEG = 'zone/keg'
const DEPOT = 'zone/depot'
const LOOK = 'const seq = this.memory.load(at)'
const STAMP = 'domain.stamp(!paced || this.isDue(), this.at + DepotWords.advances)'
const SCAN = 'const candidate = this.readers.oldest(rd, wr)'

export const TRIALS: readonly Trial[] = [
  // ---- sections --------------------------------------------------------------------------------
  bySmr('section against unlink and reuse', [
    '[R1] enter publishes nothing',
    COMPOUND,
    'memory.store(at, seen)',
    '',
  ]),
  bySmr('the same, pointers loaded plainly', [
    '[R1] no second load',
    COMPOUND,
    'const again = memory.load(wrAt)',
    'const again = seen',
  ]),
  bySmr('section against unlink and reuse', [
    '[R2] exit clears with a plain store',
    DOMAIN,
    'this.memory.store(this.seqAt, INVALID);\n    }',
    'this.memory.poke(this.seqAt, INVALID);\n    }',
  ]),
  byClock('a reader sleeps in enter for half the circle', [
    '[I] a long sleep in enter is not noticed',
    DOMAIN,
    'if (memory.enterSection(wrAt, seqAt) > NEAR)',
    'if (memory.enterSection(wrAt, seqAt) < 0)',
  ]),
  byClock('a reader sleeps in enter for half the circle', [
    '[I] the sleep is measured by its sign',
    COMPOUND,
    'return (again - seen) >>> 0',
    'return (again - seen) | 0',
  ]),
  bySmr('attach and detach against poll', [
    '[A] no bit says that a worker is attached',
    'space/workers',
    'memory.or(this.activeWord(slot), bitOf(slot)); // [A]',
    '',
  ]),
  byZone('the limit falls and rises', [
    'the limit is changed without the lock',
    KEG,
    'this.watched(() => this.memory.store(this.at + KegWords.limit, items));',
    'this.memory.store(this.at + KegWords.limit, items);',
  ]),
  bySuccessor("a label is one worker's", [
    '[N] no second load',
    'space/workers',
    'return memory.load(at + WorkerSlot.told) === told ? { label, forMs } : undefined; // [N]',
    'return { label, forMs };',
  ]),
  bySuccessor("a label is one worker's", [
    '[N] the generation is not taken away first',
    'space/workers',
    'memory.store(at + WorkerSlot.told, UNTOLD);',
    'memory.store(at + WorkerSlot.told, (this.generation(slot) + 1) | 0);',
  ]),
  // ---- clock and poll --------------------------------------------------------------------------
  bySmr('an advance beside a writer', [
    '[W] advance is a load and a store',
    CLOCK,
    'return forward(this.memory.add(this.wrAt, this.step), this.step)',
    'const goal = forward(this.wr(), this.step); this.memory.store(this.wrAt, goal); return goal',
  ]),
  byClock('a goal after a plain unlink', [
    '[W] a goal is taken by a load',
    CLOCK,
    'return forward(this.memory.add(this.wrAt, this.step), this.step)',
    'return forward(this.wr(), this.step)',
  ]),
  byClock('a deferred goal after a plain unlink', [
    '[W] a deferred goal is taken by a load',
    CLOCK,
    'return forward(this.memory.add(this.wrAt, 0), steps * this.step)',
    'return forward(this.wr(), steps * this.step)',
  ]),
  byClock('many goals at the wrap guard', [
    'the wrap guard: an advance at the limit',
    'smr/pace',
    'if (this.clock.hasRoom())',
    'if (true)',
  ]),
  bySmr('two pollers', [
    '[S1] the fast path reads the hand plainly',
    CLOCK,
    'return this.memory.load(this.rdAt)',
    'return this.memory.peekRacy(this.rdAt)',
  ]),
  bySmr('section against unlink and reuse', [
    '[S2] a reader is looked at plainly',
    POLL,
    LOOK,
    LOOK.replace('load', 'peekRacy'),
  ]),
  bySmr(
    'two writers stamp',
    [
      '[S2] the write hand is loaded after the look',
      GOALS,
      SCAN,
      'const first = this.readers.oldest(rd, wr); const late = clock.wr(); const candidate = this.readers.holder >= 0 ? first : late',
    ],
    { rules: { sample: { schedules: 20_000, depth: 4 } } },
  ),
  bySmr('advance against poll near the wrap', [
    'pinning: a reader behind the read hand is ignored',
    POLL,
    'lt(seq, rd) ? rd : seq',
    'lt(seq, rd) ? INVALID : seq',
  ]),
  byClock('a poller sleeps for half the circle', [
    '[S3] the read hand is stored',
    CLOCK,
    'this.memory.cas(this.rdAt, rd, candidate)',
    'this.memory.store(this.rdAt, candidate)',
  ]),
  byClock('a poller sleeps for half the circle', [
    '[S3] the CAS expects the hand as it is now',
    CLOCK,
    'if (lt(rd, candidate))',
    'rd = this.rd(); if (lt(rd, candidate))',
  ]),
  // ---- zones -----------------------------------------------------------------------------------
  byZone('recycling under a reader', ['the stamp: retired without a goal', DEPOT, STAMP, '0']),
  byZone('recycling under a reader', [
    'the stamp: where the hand stands',
    DEPOT,
    STAMP,
    'this.memory.add(domain.address, 0)',
  ]),
  byZone('drain under a reader', [
    '[D] a bucket is taken without a poll',
    DEPOT,
    'if (!this.hasExpired(this.lists.goalOf(bucket)))\n            return 0; // [D]',
    '',
  ]),
  byZone('recycling under a reader', [
    'the door: a full bucket is called safe',
    SUPPLY,
    'return domain === undefined\n            ? depot.putSafe(bucket, exchangeOwner)',
    'return true\n            ? depot.putSafe(bucket, exchangeOwner)',
  ]),
  byZone('detach with buckets', [
    'the door: leaving does not seal',
    SUPPLY,
    'flush() {\n        this.seal();',
    'flush() {',
  ]),
  byZone('destructors', [
    'items are handed out without their destructor',
    SUPPLY,
    'destroyItems(this.parts, bucket, failure);\n        this.loadAlloc(bucket)',
    'this.loadAlloc(bucket)',
  ]),
  byZone('recycling under a reader, paced', [
    'a goal that another bucket will reach: where the hand stands',
    GOALS,
    'return this.clock.ahead(this.pace.reach / this.clock.step)',
    'return this.clock.ahead(0)',
  ]),
  byZone("another's bucket is not due", [
    'nobody makes the step that is missing',
    SUPPLY,
    'depot.urge();\n        return this.reuse(failure)',
    'return this.reuse(failure)',
  ]),
  byZone('depot full and empty', [
    'a bucket grows beyond its room',
    'zone/knobs',
    'if (now < most)\n            this.setBucket(Math.min(most, ',
    'this.setBucket(Math.max(0, ',
  ]),
  byZone('an age is over', [
    'the door: what grows old is called safe',
    SUPPLY,
    'this.sendOff(0, false);\n        else',
    '(this.parts.depot.putSafe(this.parts.cache.unloadFree(), 0));\n        else',
  ]),
  byZone('depot full and empty', [
    'the depot is not locked',
    DEPOT,
    'this.space.locks.acquireAndRepair(this.at + DepotWords.lock, this.what, this.whenDead)',
    '',
  ]),
  byZone('slabs come and go', [
    'the keg is not locked',
    KEG,
    'this.space.locks.acquireAndRepair(this.at + KegWords.lock, this.what, this.whenDead)',
    '',
  ]),
  byReserve('reserve: two who take all, and one who asks', [
    'who does not ask takes of the reserve',
    KEG,
    'this.roomUnderLimit() - keep',
    'this.roomUnderLimit()',
  ]),
  byReserve('reserve: one who takes all, and one who asks', [
    'who asks finds no reserve',
    SUPPLY,
    '(this.reserve.isOpen && this.importItems(failure, 1, 0))',
    'false',
  ]),
  // ---- locks, names, pages ---------------------------------------------------------------------
  byMemory('lock, two by turns', [
    'the lock: taken by a load and a store',
    LOCK,
    'if (memory.load(at) === FREE && memory.cas(at, FREE, this.token) === FREE)',
    'if (memory.load(at) === FREE && (memory.store(at, this.token), true))',
  ]),
  byMemory('lock of a dead owner', [
    '[T] a dead owner is followed by a store',
    LOCK,
    'return this.memory.cas(at, seen, this.token | SLEEPERS) === seen; // [T]',
    'this.memory.store(at, this.token | SLEEPERS); return true;',
  ]),
  byMemory('lock, sleepers are woken', [
    'the lock: nobody is woken',
    LOCK,
    'if (slept)\n            memory.notify(at, 1);',
    '',
  ]),
  byMemory('lock of a worker that was reaped although it lives', [
    '[U] a lock is given back by an exchange',
    LOCK,
    'const seen = memory.cas(at, token, word);',
    'const seen = memory.swap(at, word);',
  ]),
  byMemory('lock of a worker that was reaped although it lives', [
    "[U] a lock is given back from whatever the sleepers' bit stands beside",
    LOCK,
    'const slept = seen === (token | SLEEPERS) &&',
    'const slept = (seen & SLEEPERS) !== 0 &&',
  ]),
  byMemory('lock, sleepers are woken', [
    'the lock: who was woken forgets the other sleepers',
    LOCK,
    'if (memory.cas(at, FREE, this.token | SLEEPERS) === FREE)',
    'if (memory.cas(at, FREE, this.token) === FREE)',
  ]),
  byEdge('a lock of a dead owner that is only tried for', [
    'the lock: who only tries does not hear of a death',
    LOCK,
    "return this.takeOver(at, seen) ? 'owner-died' : false",
    "return this.takeOver(at, seen) ? 'ok' : false",
  ]),
  byEdge('a lock that two only try for', [
    'the lock: who only tries takes it by a load and a store',
    LOCK,
    'const seen = this.memory.cas(at, FREE, this.token);\n        if (seen === FREE)',
    'const seen = this.memory.load(at);\n        if (seen === FREE) this.memory.store(at, this.token);\n        if (seen === FREE)',
  ]),
  byBirth('attaching while the arena is made', [
    'an arena: the magic word is stored plainly',
    SPACE,
    'memory.store(Header.magic, MAGIC)',
    'memory.poke(Header.magic, MAGIC)',
  ]),
  byBirth('attaching while the arena is made', [
    'an arena: the magic word before the rest',
    SPACE,
    'memory.poke(Header.version, LAYOUT_VERSION)',
    'memory.store(Header.magic, MAGIC); memory.poke(Header.version, LAYOUT_VERSION)',
  ]),
  byUndo('a table that cannot be had beside one who makes it', [
    'tables are made by two at once',
    'table/open',
    "locks.acquire(Header.tableLock, 'arena tables')",
    '',
  ]),
  byMemory('one zone of two makers', [
    'the directory is not locked',
    'space/directory',
    "this.locks.acquire(Header.directoryLock, 'arena directory')",
    '',
  ]),
  byMemory('a zone is bound to a domain that another ends', [
    'the end of a domain: its zones are not counted again under the lock',
    'smr/domain',
    ', unused);',
    ');',
  ]),
  byMemory('a zone is bound to a domain that another ends', [
    'a zone: its domain is not looked at again under the lock',
    'zone/open',
    'if (smr !== undefined && !smr.isAlive()) throw',
    'if (false) throw',
  ]),
  byMemory('two attach and detach', [
    'a slot is claimed: its generation is loaded before its owner',
    'space/workers',
    'const seen = memory.load(at); const generation = this.generation(slot);',
    'const generation = this.generation(slot); const seen = memory.load(at);',
  ]),
  byMemory('two attach and detach', [
    'a slot is claimed by a store',
    'space/workers',
    'if (memory.cas(at, seen, owner) !== seen)',
    'if ((memory.store(at, owner), false))',
  ]),
  byMemory('pages of two', [
    'pages are not locked',
    PAGES,
    'this.locks.acquireAndRepair(Header.pageLock, LOCK, this.whenDead)',
    '',
  ]),
  byTime('not in time: detach', [
    'who could not give back what it has cached frees its slot',
    'arena/arena',
    'if (whole)\n            space.close();\n        else\n            space.abandon();',
    'space.close();',
  ]),
  ...DEATH_TRIALS,
]
